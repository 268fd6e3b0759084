package beside_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
)

type question struct{ N int }

// answering is a Job that counts, fails, or waits until it is cancelled.
func answering(ended chan<- bool) func(besidetest.Pod) http.Handler {
	return func(besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		beside.Handle(mux, "/double", func(_ context.Context, q question, report func(sluice.Amount)) (int, error) {
			for i := range q.N {
				report(sluice.Amount{Unit: "rows", Done: int64(i)})
			}
			return 2 * q.N, nil
		})
		beside.Handle(mux, "/refuse", func(context.Context, question, func(sluice.Amount)) (int, error) {
			return 0, sluice.Errorf(sluice.Conflict, "it is taken").WithHint("take another one")
		})
		beside.Handle(mux, "/wait", func(ctx context.Context, _ question, report func(sluice.Amount)) (int, error) {
			report(sluice.Amount{Unit: "rows"})
			<-ctx.Done()
			ended <- true
			return 0, ctx.Err()
		})
		return mux
	}
}

// endpoint returns options with an endpoint that Jobs reach.
func endpoint(t *testing.T) beside.Options {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e, err := beside.NewEndpoint(l, l.Addr().String(), secret(t, beside.EndpointSecret))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return beside.Options{Endpoint: func() (*beside.Endpoint, error) { return e, nil }}
}

func secret(t *testing.T, purpose string) string {
	t.Helper()
	s, err := besidetest.Secret(purpose)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// each runs the test over both ways to connect.
func each(t *testing.T, test func(*testing.T, beside.Options)) {
	t.Run("Sluice connects", func(t *testing.T) { test(t, beside.Options{}) })
	t.Run("the Job connects", func(t *testing.T) { test(t, endpoint(t)) })
}

func open(t *testing.T, b *beside.Bench, w beside.Work) *beside.Session {
	t.Helper()
	s, err := b.Open(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func double(t *testing.T, s *beside.Session, n int) {
	t.Helper()
	got, err := beside.Call[question, int](t.Context(), s, "/double", question{n}, nil)
	if err != nil || got != 2*n {
		t.Fatalf("%d, %v", got, err)
	}
}

func TestCall(t *testing.T) {
	each(t, func(t *testing.T, o beside.Options) {
		c := besidetest.New(t, answering(nil))
		s := open(t, c.Bench(o), beside.Work{Place: c.Place("shop"), Name: "sluice-test"})
		var reports []int64
		got, err := beside.Call[question, int](t.Context(), s, "/double", question{3}, func(a sluice.Amount) {
			reports = append(reports, a.Done)
		})
		if diff := cmp.Diff([]int64{0, 1, 2}, reports); err != nil || got != 6 || diff != "" {
			t.Errorf("%d, %v, reports %s", got, err, diff)
		}
		_, err = beside.Call[question, int](t.Context(), s, "/refuse", question{}, nil)
		if sluice.ErrorCode(err) != sluice.Conflict || err.Error() != "it is taken" || sluice.ErrorHint(err) == "" {
			t.Errorf("%v, hint %q", err, sluice.ErrorHint(err))
		}
	})
}

// A call that the caller gives up ends in the Job too.
func TestCallEndsInTheJob(t *testing.T) {
	each(t, func(t *testing.T, o beside.Options) {
		ended := make(chan bool, 2)
		c := besidetest.New(t, answering(ended))
		b := c.Bench(o)
		w := beside.Work{Place: c.Place("shop"), Name: "sluice-test"}
		s := open(t, b, w)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := beside.Call[question, int](ctx, s, "/wait", question{}, func(sluice.Amount) { cancel() })
		if sluice.ErrorCode(err) != sluice.Cancelled {
			t.Errorf("cancelled: %v", err)
		}
		<-ended
		_, err = beside.Call[question, int](t.Context(), s, "/wait", question{}, func(sluice.Amount) { s.Close() })
		if sluice.ErrorCode(err) != sluice.Unavailable {
			t.Errorf("the connection broke: %v", err)
		}
		<-ended
		double(t, s, 4) // over a new connection
		s.Close()
		double(t, open(t, b, w), 5)
		if n := c.Made(); n != 1 {
			t.Errorf("%d pods were made for one piece of work", n)
		}
	})
}

func TestOpenAgainAfterTheEnd(t *testing.T) {
	each(t, func(t *testing.T, o beside.Options) {
		c := besidetest.New(t, answering(nil))
		b := c.Bench(o)
		w := beside.Work{Place: c.Place("shop"), Name: "sluice-test"}
		s := open(t, b, w)
		c.Kill()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := beside.Call[question, int](ctx, s, "/double", question{1}, nil); err == nil {
			t.Error("a killed Job answers")
		}
		double(t, open(t, b, w), 6)
		for range 2 {
			if err := b.End(t.Context(), w.Place, w.Name); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []string{"Secret", "Service"} {
			if left, err := c.List(t.Context(), "v1", kind, "shop"); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		}
		double(t, open(t, b, w), 7)
		if n := c.Made(); n != 3 {
			t.Errorf("%d pods were made, want 3", n)
		}
	})
}

// A Job only talks to the process that holds the key, and the other way round.
func TestStrangersAreRefused(t *testing.T) {
	c := besidetest.New(t, answering(nil))
	w := beside.Work{Place: c.Place("shop"), Name: "sluice-test"}
	open(t, c.Bench(beside.Options{}), w)
	for name, strange := range map[string]string{"Sluice": "jobs", "the Job": "job cluster/shop/sluice-test"} {
		b := beside.New(beside.Options{
			Settings: func(string) beside.Settings { return beside.Settings{Image: "sluice:unready"} },
			Secret: func(purpose string) (string, error) {
				if purpose == strange {
					return strings.Repeat("ab", 32), nil
				}
				return besidetest.Secret(purpose)
			},
			Patience: time.Second,
		})
		if _, err := b.Open(t.Context(), w); err == nil {
			t.Errorf("%s with another key is served", name)
		}
	}
}

func TestIdleJobEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := beside.Config{Secret: secret(t, "a"), Peer: make([]byte, 32), Idle: time.Millisecond, Listen: l}
	if err := beside.Serve(t.Context(), c, http.NotFoundHandler()); err != nil {
		t.Error(err)
	}
}
