package inbound_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/inbound"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// waiter is a step that waits for a callback or an approval.
type waiter struct{ sc sluice.StepContext }

func (waiter) New(sc sluice.StepContext) (sluice.Step, error) { return waiter{sc}, nil }

func (w waiter) Check(context.Context) (sluice.Preview, error) { return sluice.Preview{}, nil }

func (w waiter) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Waiting
	p.Wait = &sluice.Wait{Signals: []string{sluice.SignalCallback, sluice.SignalApprove}}
	return p, nil
}

func (w waiter) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State, p.Wait = sluice.Done, nil
	return p, nil
}

func (w waiter) Finish(context.Context, sluice.Progress) error { return nil }
func (w waiter) Undo(context.Context, sluice.Progress) error   { return nil }

// world is an engine and the key of its secrets.
type world struct {
	store  *storetest.Memory
	engine *engine.Engine
	key    *secret.Key
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: storetest.NewMemory()}
	w.engine = engine.New(engine.Config{Store: w.store, Steps: waiter{}, Now: time.Now, Random: rand.Reader})
	var err error
	if w.key, err = secret.NewKey(make([]byte, 32), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func plan(application string) *sluice.Plan {
	step := func(id sluice.StepID, after ...sluice.StepID) sluice.PlannedStep {
		return sluice.PlannedStep{ID: id, Target: "staging", Phase: sluice.PhaseBefore, After: after,
			StepSpec: sluice.StepSpec{Kind: sluice.KindPause}}
	}
	return &sluice.Plan{
		Application: application, Targets: []sluice.PlannedTarget{{Name: "staging"}},
		Steps: []sluice.PlannedStep{step("staging/before/0"), step("staging/before/1", "staging/before/0")},
	}
}

// until reads updates up to and including the first event that is wanted.
func until(t *testing.T, w *world, id sluice.DeploymentID, want func(sluice.Event) bool) []sluice.Event {
	t.Helper()
	var events []sluice.Event
	for u, err := range w.engine.Watch(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Event == nil {
			continue
		}
		events = append(events, *u.Event)
		if want(*u.Event) {
			return events
		}
	}
	t.Fatalf("the stream ended before: %v", events)
	return nil
}

func waits(step sluice.StepID) func(sluice.Event) bool {
	return func(e sluice.Event) bool { return e.Kind == sluice.StepProgressed && e.Step == step }
}

func TestCallbacks(t *testing.T) {
	w := newWorld(t)
	now := time.Now
	id, err := w.engine.Start(t.Context(), plan("shop"), sluice.Actor{Name: "me"})
	if err != nil {
		t.Fatal(err)
	}
	const step = sluice.StepID("staging/before/0")
	until(t, w, id, waits(step))
	server := httptest.NewServer(inbound.NewCallbacks(w.engine, w.store, w.key, now))
	defer server.Close()
	url := inbound.CallbackURL(server.URL, w.key, id, step)
	other := inbound.CallbackURL(server.URL, w.key, id, "staging/before/1")

	post := func(url, body string) int {
		t.Helper()
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	wrong := url[:len(url)-4] + "AAAA"
	for name, c := range map[string]struct {
		url, body string
		want      int
	}{
		"wrong secret": {wrong + "/callback", `{"success":true}`, http.StatusNotFound},
		"no secret": {server.URL + "/callbacks/" + string(id) + "/callback", `{"success":true}`,
			http.StatusNotFound},
		"not the callback": {url, `{"success":true}`, http.StatusNotFound},
		"no body":          {url + "/callback", "", http.StatusBadRequest},
		"nothing said":     {url + "/callback", `{"mdMessage":"x"}`, http.StatusBadRequest},
		"too large": {url + "/callback", `{"mdMessage":"` + strings.Repeat("x", 70_000) + `","success":true}`,
			http.StatusBadRequest},
		"a step not begun yet": {other + "/callback", `{"success":true}`, http.StatusGone},
	} {
		if got := post(c.url, c.body); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := post(url+"/callback", `{"success":true,"mdMessage":"all **fine**"} trailing`); got != http.StatusOK {
		t.Fatalf("the callback is answered %d", got)
	}
	events := until(t, w, id, waits("staging/before/1"))
	i := slices.IndexFunc(events, func(e sluice.Event) bool { return e.Kind == sluice.SignalReceived })
	want := sluice.Signal{Kind: sluice.SignalCallback, Step: step, Success: true, Reason: "all **fine**",
		By: sluice.Actor{Name: "callback", Via: "callback"}}
	if diff := cmp.Diff(want, *events[i].Signal); diff != "" {
		t.Error(diff)
	}
	if got := post(url+"/callback", `{"success":false}`); got != http.StatusConflict {
		t.Errorf("a second callback is answered %d", got)
	}
	sig := sluice.Signal{Kind: sluice.SignalApprove, Step: "staging/before/1"}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	until(t, w, id, func(e sluice.Event) bool { return e.Kind == sluice.DeploymentEnded })
	if got := post(other+"/callback", `{"success":true}`); got != http.StatusGone {
		t.Errorf("a late callback is answered %d", got)
	}
}

func TestCallbackOfManyCountsOnce(t *testing.T) {
	w := newWorld(t)
	id, err := w.engine.Start(t.Context(), plan("shop"), sluice.Actor{Name: "me"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, w, id, waits("staging/before/0"))
	server := httptest.NewServer(inbound.NewCallbacks(w.engine, w.store, w.key, time.Now))
	defer server.Close()
	url := inbound.CallbackURL(server.URL, w.key, id, "staging/before/0") + "/callback"
	statuses := make([]int, 8)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			resp, err := http.Post(url, "application/json", strings.NewReader(`{"success":true}`))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			statuses[i] = resp.StatusCode
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if want := []int{200, 409, 409, 409, 409, 409, 409, 409}; !slices.Equal(statuses, want) {
		t.Errorf("answers %v, want %v", statuses, want)
	}
}
