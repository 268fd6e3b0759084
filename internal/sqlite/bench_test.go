package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// BenchmarkAppend measures appends by many deployments at once, each waiting for the disk.
func BenchmarkAppend(b *testing.B) {
	for _, deployments := range []int{1, 8, 1000} {
		b.Run(fmt.Sprintf("deployments=%d", deployments), func(b *testing.B) { benchmarkAppend(b, deployments) })
	}
}

func benchmarkAppend(b *testing.B, deployments int) {
	s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "sluice.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	appendAll(b, s, deployments, func(int) sluice.Event {
		return sluice.Event{At: time.Now(), Kind: sluice.DeploymentStarted, Plan: &sluice.Plan{}}
	}, 0, 1)
	each := max(1, b.N/deployments)
	b.ResetTimer()
	appendAll(b, s, deployments, func(int) sluice.Event {
		return sluice.Event{At: time.Now(), Kind: sluice.StepProgressed, Step: "production/canary/2",
			Progress: &sluice.Progress{State: sluice.Running, Message: "3 of 5 pods are ready"}}
	}, 1, each)
	b.ReportMetric(float64(deployments*each)/b.Elapsed().Seconds(), "events/s")
}

// appendAll appends n events to each deployment, all deployments at once.
func appendAll(b *testing.B, s *sqlite.Store, deployments int, event func(int) sluice.Event, after, n int) {
	var wg sync.WaitGroup
	for d := range deployments {
		wg.Go(func() {
			for i := range n {
				e := event(i)
				if e.Plan != nil {
					e.Plan.Application = fmt.Sprint("application-", d)
				}
				id := sluice.DeploymentID(fmt.Sprint("d", d))
				if err := s.Append(context.Background(), id, sluice.Seq(after+i), e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
