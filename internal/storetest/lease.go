package storetest

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

func testLease(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"has one holder, also among stores":    leaseOneHolder,
		"is for one deployment only":           leaseOthers,
		"is released once":                     leaseReleased,
		"is lost when its store closes":        leaseLost,
		"is not taken with a ctx that ended":   leaseCancelled,
		"can be queried without disturbing it": leaseLooked,
		"goes to one of many at a time":        leaseConcurrent,
		"ends when its process is killed":      leaseKilled,
		"outlives the end of its deployment":   leaseWithoutLog,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// lease takes the lease, or fails the test.
func lease(t *testing.T, s sluice.Leases, id sluice.DeploymentID) sluice.Lease {
	t.Helper()
	l, err := s.Lease(context.Background(), id)
	must(t, err)
	return l
}

// leaseOfKilled takes the lease that a process held which was killed. A server may need a moment to notice that.
func leaseOfKilled(t *testing.T, s sluice.Leases, id sluice.DeploymentID) sluice.Lease {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for killed := time.Now(); ; <-again.C {
		l, err := s.Lease(context.Background(), id)
		if sluice.ErrorCode(err) == sluice.Conflict && time.Since(killed) < 10*time.Second {
			continue
		}
		must(t, err)
		return l
	}
}

// wantLeased fails the test unless the store reports the lease as expected, and refuses a lease that somebody holds.
func wantLeased(t *testing.T, s sluice.Leases, id sluice.DeploymentID, want bool) {
	t.Helper()
	got, err := s.Leased(context.Background(), id)
	must(t, err)
	if got != want {
		t.Fatalf("%s is leased: %v, want %v", id, got, want)
	}
	if want {
		_, err := s.Lease(context.Background(), id)
		wantCode(t, err, sluice.Conflict)
	}
}

func leaseOneHolder(t *testing.T, open Open) {
	a, b := pair(t, open)
	l := lease(t, a, "d1")
	wantLeased(t, a, "d1", true)
	wantLeased(t, b, "d1", true)
	must(t, l.Release())
	wantLeased(t, a, "d1", false)
	wantLeased(t, b, "d1", false)
	lease(t, b, "d1")
	wantLeased(t, a, "d1", true)
}

func leaseOthers(t *testing.T, open Open) {
	a, b := pair(t, open)
	lease(t, a, "d1")
	wantLeased(t, b, "d2", false)
	lease(t, b, "d2")
	lease(t, a, "d3")
}

func leaseReleased(t *testing.T, open Open) {
	a, b := pair(t, open)
	l := lease(t, a, "d1")
	must(t, l.Release())
	must(t, l.Release())
	lease(t, a, "d1")
	must(t, l.Release())
	wantLeased(t, b, "d1", true)
}

func leaseLost(t *testing.T, open Open) {
	dir := t.TempDir()
	a, b := open(t, dir), opened(t, open, dir)
	l, released := lease(t, a, "d1"), lease(t, a, "d2")
	must(t, released.Release())
	select {
	case <-l.Lost():
		t.Fatal("it is lost from the beginning")
	default:
	}
	must(t, a.Close())
	<-l.Lost()
	must(t, l.Release())
	wantLeased(t, b, "d1", false)
	select {
	case <-released.Lost():
		t.Error("a lease that was released is lost")
	default:
	}
}

func leaseCancelled(t *testing.T, open Open) {
	s := fresh(t, open)
	_, err := s.Lease(endedContext(), "d1")
	wantCode(t, err, sluice.Cancelled)
	wantLeased(t, s, "d1", false)
}

func leaseLooked(t *testing.T, open Open) {
	a, b := pair(t, open)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 500 {
			l, err := a.Lease(context.Background(), "d1")
			if err != nil {
				t.Error(err)
				return
			}
			expect(t, l.Release())
		}
	}()
	for looking := true; looking; {
		select {
		case <-done:
			looking = false
		default:
			if _, err := b.Leased(context.Background(), "d1"); err != nil {
				t.Error(err)
			}
		}
	}
}

func leaseConcurrent(t *testing.T, open Open) {
	a, b := pair(t, open)
	var holders, times atomic.Int32
	inParallel(func(i int) {
		s := []sluice.Store{a, b}[i%2]
		for range 200 {
			l, err := s.Lease(context.Background(), "d1")
			if sluice.ErrorCode(err) == sluice.Conflict {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if n := holders.Add(1); n != 1 {
				t.Errorf("%d hold the lease", n)
			}
			times.Add(1)
			holders.Add(-1)
			expect(t, l.Release())
		}
	})
	if times.Load() == 0 {
		t.Error("nobody ever held the lease")
	}
}

func leaseKilled(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		lease(t, open(t, dir), "d1")
		say(t, "leased")
		select {}
	}
	dir := t.TempDir()
	s := opened(t, open, dir)
	for range 3 {
		p := spawn(t, dir)
		if _, ok := p.hear(); !ok {
			t.Fatalf("the process ended: %s", p.output.String())
		}
		wantLeased(t, s, "d1", true)
		p.kill()
		must(t, leaseOfKilled(t, s, "d1").Release())
		wantLeased(t, s, "d1", false)
	}
}

// leaseWithoutLog ends the deployment: the process that ran it still has to release the lease.
func leaseWithoutLog(t *testing.T, open Open) {
	a, b := pair(t, open)
	l := lease(t, a, "d1")
	must(t, a.Append(context.Background(), "d1", 0, started("shop", 0), ended(sluice.StatusSucceeded, 1)))
	wantLeased(t, b, "d1", true)
	must(t, l.Release())
	wantLeased(t, b, "d1", false)
}
