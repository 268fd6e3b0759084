package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice"
)

// appenders is how many append at once.
const appenders = 8

func testConcurrent(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"appenders to different deployments do not disturb each other":  concurrentDeployments,
		"appenders of one deployment lose nothing and repeat nothing":   concurrentOneDeployment,
		"starters of one application: exactly one wins":                 concurrentStarts,
		"a conflict or a bad event of one does not spoil the others":    concurrentConflicts,
		"readers see a log without gaps while it is being written":      concurrentReaders,
		"checkpoints and events are written beside each other unharmed": concurrentCatalogue,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
}

// inParallel runs f once an appender and waits for all.
func inParallel(f func(i int)) {
	var wg sync.WaitGroup
	for i := range appenders {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// deployment and application name the ith of either.
func deployment(i int) sluice.DeploymentID { return sluice.DeploymentID(fmt.Sprint("d", i)) }
func application(i int) string             { return fmt.Sprint("application", i) }

func concurrentDeployments(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	const events = 50
	inParallel(func(i int) {
		if err := s.Append(ctx, deployment(i), 0, started(application(i), 0)); err != nil {
			t.Error(err)
		}
		for n := 1; n < events; n++ {
			if err := s.Append(ctx, deployment(i), sluice.Seq(n), progressed(n)); err != nil {
				t.Error(err)
			}
		}
	})
	want := []sluice.Event{{}}
	for n := 1; n < events; n++ {
		want = append(want, progressed(n))
	}
	for i := range appenders {
		want[0] = started(application(i), 0)
		wantLog(t, s, deployment(i), want...)
	}
}

func concurrentOneDeployment(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d", 0, started("shop", 0)))
	const each = 25
	inParallel(func(i int) {
		after := sluice.Seq(1)
		for n := 0; n < each; {
			err := s.Append(ctx, "d", after, progressed(i*each+n))
			switch sluice.ErrorCode(err) {
			case "":
				n++
				after++
			case sluice.Conflict:
				for e := range s.Read(ctx, "d", after) {
					after = e.Seq
				}
			default:
				t.Error(err)
				return
			}
		}
	})
	seen := map[string]int{}
	for i, e := range read(t, s, "d", 1) {
		if e.Seq != sluice.Seq(i+2) {
			t.Fatalf("event %d is numbered %d", i+2, e.Seq)
		}
		seen[e.Progress.Message]++
	}
	for n := range appenders * each {
		if times := seen[progressed(n).Progress.Message]; times != 1 {
			t.Errorf("event %d is there %d times", n, times)
		}
	}
}

func concurrentStarts(t *testing.T, s sluice.Store) {
	var won atomic.Int32
	inParallel(func(i int) {
		err := s.Append(context.Background(), deployment(i), 0, started("shop", i))
		switch sluice.ErrorCode(err) {
		case "":
			won.Add(1)
		case sluice.Conflict:
		default:
			t.Error(err)
		}
	})
	list, err := s.Deployments(context.Background(), "")
	must(t, err)
	if won.Load() != 1 || len(list) != 1 {
		t.Errorf("%d won and %d deployments are listed, want one", won.Load(), len(list))
	}
}

func concurrentConflicts(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "taken", 0, started("taken", 0)))
	inParallel(func(i int) {
		if i%2 == 0 {
			if code := sluice.ErrorCode(s.Append(ctx, deployment(i), 0, started("taken", 0))); code != sluice.Conflict {
				t.Errorf("code is %q, want a conflict", code)
			}
			return
		}
		for n, e := range []sluice.Event{started(application(i), 0), progressed(1), progressed(2)} {
			if err := s.Append(ctx, deployment(i), sluice.Seq(n), e); err != nil {
				t.Error(err)
			}
		}
	})
	for i := 1; i < appenders; i += 2 {
		wantLog(t, s, deployment(i), started(application(i), 0), progressed(1), progressed(2))
	}
}

func concurrentReaders(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d", 0, started("shop", 0)))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; n < 200; n += 2 {
			if err := s.Append(ctx, "d", sluice.Seq(n), progressed(n), progressed(n+1)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	inParallel(func(int) {
		for finished := false; !finished; {
			select {
			case <-done:
				finished = true
			default:
			}
			next := sluice.Seq(1)
			for e, err := range s.Read(ctx, "d", 0) {
				if err != nil || e.Seq != next {
					t.Errorf("event %d instead of %d: %v", e.Seq, next, err)
					return
				}
				next++
			}
			if next%2 != 0 {
				t.Errorf("half of an append was seen: %d events", next-1)
			}
		}
	})
}

func concurrentCatalogue(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	inParallel(func(i int) {
		if err := s.Append(ctx, deployment(i), 0, started(application(i), i)); err != nil {
			t.Error(err)
		}
		if err := s.PutCheckpoint(ctx, checkpoint(sluice.CheckpointID(deployment(i)), application(i), i)); err != nil {
			t.Error(err)
		}
	})
	for i := range appenders {
		wantLog(t, s, deployment(i), started(application(i), i))
		wantCheckpoint(t, s, checkpoint(sluice.CheckpointID(deployment(i)), application(i), i))
	}
}
