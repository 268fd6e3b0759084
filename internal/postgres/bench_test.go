package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// BenchmarkAppend measures appends by many deployments at once, each waiting for the disk, through one store and
// through four that share the database.
func BenchmarkAppend(b *testing.B) {
	c := postgrestest.New(b, "fsync=on")
	for i, size := range []struct{ deployments, stores int }{{1, 1}, {8, 1}, {100, 1}, {100, 4}, {1000, 1}} {
		b.Run(fmt.Sprintf("deployments=%d/stores=%d", size.deployments, size.stores), func(b *testing.B) {
			name := fmt.Sprintf("bench%d_%d", i, b.N)
			if err := c.Execute(b.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
				b.Fatal(err)
			}
			var stores []*postgres.Store
			for range size.stores {
				s := open(b, c.Address(name))
				defer s.Close()
				stores = append(stores, s)
			}
			benchmarkAppend(b, stores, size.deployments)
		})
	}
}

func benchmarkAppend(b *testing.B, stores []*postgres.Store, deployments int) {
	appendAll(b, stores, deployments, sluice.Event{Kind: sluice.DeploymentStarted, Plan: &sluice.Plan{}}, 1)
	each := max(1, b.N/deployments)
	b.ResetTimer()
	appendAll(b, stores, deployments, sluice.Event{Kind: sluice.StepProgressed, Step: "production/canary/2",
		Progress: &sluice.Progress{State: sluice.Running, Message: "3 of 5 pods are ready"}}, each)
	b.ReportMetric(float64(deployments*each)/b.Elapsed().Seconds(), "events/s")
}

// appendAll appends the event n times to each deployment, all deployments at once. One with a plan is the first.
func appendAll(b *testing.B, stores []*postgres.Store, deployments int, e sluice.Event, n int) {
	var group sync.WaitGroup
	e.At = time.Unix(1, 0)
	for d := range deployments {
		group.Go(func() {
			after, event := sluice.Seq(1), e
			if e.Plan != nil {
				after, event.Plan = 0, &sluice.Plan{Application: fmt.Sprint("application-", d)}
			}
			for i := range n {
				id, s := sluice.DeploymentID(fmt.Sprint("d", d)), stores[d%len(stores)]
				if err := s.Append(context.Background(), id, after+sluice.Seq(i), event); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}
