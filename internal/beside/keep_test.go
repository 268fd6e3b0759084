package beside_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
)

// A diary is a Job that writes down what it is asked, with the number of its pod.
type diary struct {
	mu      sync.Mutex
	pods    int
	entries []int // 10 * pod + number
	refuse  bool
}

func (d *diary) pod(besidetest.Pod) http.Handler {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pods++
	pod := d.pods
	mux := http.NewServeMux()
	beside.Handle(mux, "/note", func(_ context.Context, q question, _ func(sluice.Amount)) (struct{}, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.refuse {
			return struct{}{}, sluice.Errorf(sluice.Unavailable, "not now")
		}
		d.entries = append(d.entries, 10*pod+q.N)
		return struct{}{}, nil
	})
	return mux
}

func (d *diary) has(t *testing.T, want ...int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(want, d.entries); diff != "" {
		t.Errorf("the calls (-want +got):\n%s", diff)
	}
}

// A kept call is made by the pod that replaces a killed one and by the next Open, until it is forgotten.
func TestAKeptCallIsMadeByWhoeverComesNext(t *testing.T) {
	each(t, func(t *testing.T, o beside.Options) {
		d := &diary{}
		c := besidetest.New(t, d.pod)
		b := c.Bench(o)
		w := beside.Work{Place: c.Place("shop"), Name: "sluice-test", Keeps: true}
		s := open(t, b, w)
		if err := s.Keep(t.Context(), "/note", question{7}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		open(t, b, w).Close()
		d.has(t, 17)
		open(t, b, w).Close()
		d.has(t, 17) // it is made once
		if s = open(t, b, w); s.Keep(t.Context(), "/note", question{8}) != nil {
			t.Fatal("it is not kept")
		}
		c.Kill()
		open(t, b, w).Close()
		d.has(t, 17, 28, 28) // by the pod, before it answers, and by Open
		s = open(t, b, w)
		if err := s.Keep(t.Context(), "/note", question{9}); err != nil {
			t.Fatal(err)
		}
		if err := s.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Kill()
		open(t, b, w).Close()
		d.has(t, 17, 28, 28)
	})
}

// The end of a Job makes what is kept first, also if its pod is gone, and leaves nothing.
func TestEndMakesAKeptCall(t *testing.T) {
	each(t, func(t *testing.T, o beside.Options) {
		d := &diary{}
		c := besidetest.New(t, d.pod)
		b := c.Bench(o)
		w := beside.Work{Place: c.Place("shop"), Name: "sluice-test", Keeps: true}
		s := open(t, b, w)
		if err := s.Keep(t.Context(), "/note", question{5}); err != nil {
			t.Fatal(err)
		}
		if err := w.Place.Account.Delete(t.Context(), sluice.Ref{
			APIVersion: "batch/v1", Kind: "Job", Namespace: "shop", Name: w.Name,
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.End(t.Context(), w.Place, w.Name); err != nil {
				t.Fatal(err)
			}
		}
		d.has(t, 25, 25)
		for _, kind := range []string{"Secret", "Service"} {
			if left, err := c.List(t.Context(), "v1", kind, "shop"); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		}
	})
}

// A call that cannot be made now stays kept.
func TestAKeptCallThatFailsStays(t *testing.T) {
	d := &diary{}
	c := besidetest.New(t, d.pod)
	b := c.Bench(beside.Options{})
	w := beside.Work{Place: c.Place("shop"), Name: "sluice-test", Keeps: true}
	s := open(t, b, w)
	if err := s.Keep(t.Context(), "/note", question{5}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	d.refuse = true
	if _, err := b.Open(t.Context(), w); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("open: %v", err)
	}
	if err := b.End(t.Context(), w.Place, w.Name); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("end: %v", err)
	}
	d.refuse = false
	open(t, b, w)
	d.has(t, 15)
}

// Work that must not leave anything cannot be told to keep something.
func TestOnlyWorkThatKeepsMayKeep(t *testing.T) {
	c := besidetest.New(t, answering(nil))
	s := open(t, c.Bench(beside.Options{}), beside.Work{Place: c.Place("shop"), Name: "sluice-test"})
	if err := s.Keep(t.Context(), "/note", question{}); sluice.ErrorCode(err) != sluice.Internal {
		t.Errorf("it is kept: %v", err)
	}
}

// A Job that is told to end waits for what it has begun to take back.
func TestServeWaitsForItsRequests(t *testing.T) {
	released := make(chan bool, 1)
	c := besidetest.New(t, func(besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		beside.Handle(mux, "/hold", func(ctx context.Context, _ question, report func(sluice.Amount)) (int, error) {
			report(sluice.Amount{})
			<-ctx.Done()
			released <- true
			return 0, nil
		})
		return mux
	})
	s := open(t, c.Bench(beside.Options{}), beside.Work{Place: c.Place("shop"), Name: "sluice-test"})
	_, err := beside.Call[question, int](t.Context(), s, "/hold", question{}, func(sluice.Amount) {
		go c.Kill()
	})
	if err == nil {
		t.Error("the Job goes on")
	}
	c.Kill() // returns when Serve has
	select {
	case <-released:
	default:
		t.Error("Serve returned before its request did")
	}
}
