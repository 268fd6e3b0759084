package httpapi_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/httpapi"
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

// world is an engine behind a socket, and its client.
type world struct {
	store  *storetest.Memory
	engine *engine.Engine
	server *httpapi.Server
	client *httpapi.Client
	key    *secret.Key
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: storetest.NewMemory()}
	w.engine = engine.New(engine.Config{Store: w.store, Steps: waiter{}, Now: time.Now, Random: rand.Reader})
	w.server = httpapi.NewServer(w.engine)
	var err error
	if w.key, err = secret.NewKey(make([]byte, 32), nil); err != nil {
		t.Fatal(err)
	}
	// A path longer than a socket's address may be.
	deep := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(deep, "sluice.sock")
	l, err := httpapi.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	if w.client, err = httpapi.Connect(t.Context(), socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.client.Close()
		if err := errors.Join(w.server.Close(), <-served, w.engine.Stop(context.Background())); err != nil {
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
	for u, err := range w.client.Watch(t.Context(), id, 0) {
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

func TestDeploymentThroughTheSocket(t *testing.T) {
	w := newWorld(t)
	id, err := w.client.Start(t.Context(), plan("shop"), sluice.Actor{Name: "me", Via: "cli"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Start(t.Context(), plan("shop"), sluice.Actor{Name: "me"})
	if sluice.ErrorCode(err) != sluice.Conflict || sluice.ErrorHint(err) != "wait for it" {
		t.Errorf("a second deployment: %v", err)
	}
	for _, step := range []sluice.StepID{"staging/before/0", "staging/before/1"} {
		until(t, w, id, waits(step))
		sig := sluice.Signal{Kind: sluice.SignalApprove, Step: step, By: sluice.Actor{Name: "me"}}
		if err := w.engine.Signal(t.Context(), id, sig); err != nil {
			t.Fatal(err)
		}
	}
	events := until(t, w, id, func(e sluice.Event) bool { return e.Kind == sluice.DeploymentEnded })
	if last := events[len(events)-1]; last.Outcome != sluice.StatusSucceeded {
		t.Errorf("outcome %s", last.Outcome)
	}
	if events[0].Plan == nil || events[0].Actor.Name != "me" {
		t.Errorf("first event %v", events[0])
	}
	var rest []sluice.Event
	for u := range w.client.Watch(t.Context(), id, events[2].Seq) {
		rest = append(rest, *u.Event)
	}
	if diff := cmp.Diff(events[3:], rest); diff != "" {
		t.Errorf("from the middle on: %s", diff)
	}
}

func TestAnUndoGoesOnThroughTheSocket(t *testing.T) {
	w := newWorld(t)
	const id, step = "d1", "staging/before/0"
	at, why := time.Unix(1, 0), &sluice.Failure{Code: sluice.Failed}
	err := w.store.Append(t.Context(), id, 0,
		sluice.Event{At: at, Kind: sluice.DeploymentStarted, Plan: plan("shop")},
		sluice.Event{At: at, Kind: sluice.StepStarting, Step: step, Progress: &sluice.Progress{}},
		sluice.Event{At: at, Kind: sluice.StepFailed, Step: step, Failure: why},
		sluice.Event{At: at, Kind: sluice.StepUndoFailed, Step: step, Failure: why},
		sluice.Event{At: at, Kind: sluice.DeploymentEnded, Outcome: sluice.StatusFailed})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.client.Reopen(t.Context(), id, sluice.Actor{Name: "ana"}); err != nil {
		t.Fatal(err)
	}
	until(t, w, id, func(e sluice.Event) bool { return e.Kind == sluice.StepUndone })
	events := until(t, w, id, func(e sluice.Event) bool { return e.Kind == sluice.DeploymentEnded && e.Seq > 5 })
	if e := events[5]; e.Kind != sluice.DeploymentReopened || e.Actor.Name != "ana" {
		t.Errorf("after the first end comes %+v", e)
	}
	err = w.client.Reopen(t.Context(), id, sluice.Actor{Name: "ana"})
	if sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("to go on with an undo that has ended well: %v", err)
	}
}

func TestErrorsArriveUnchanged(t *testing.T) {
	w := newWorld(t)
	for _, err := range w.client.Watch(t.Context(), "nothing", 0) {
		if sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("an unknown deployment: %v", err)
		}
	}
	if _, err := w.client.Start(t.Context(), nil, sluice.Actor{}); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("no plan: %v", err)
	}
	w.server.Refuse()
	if _, err := w.client.Start(t.Context(), plan("x"), sluice.Actor{}); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("while it stops: %v", err)
	}
	_, err := httpapi.Connect(t.Context(), filepath.Join(t.TempDir(), "s"))
	if sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
}

func TestARequestIsBounded(t *testing.T) {
	w := newWorld(t)
	large := plan("shop")
	large.Description = strings.Repeat("x", 64<<20)
	if _, err := w.client.Start(t.Context(), large, sluice.Actor{}); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("a request of more than 64 MiB: %v", err)
	}
	if list, err := w.store.Deployments(t.Context(), ""); err != nil || len(list) > 0 {
		t.Errorf("it was taken all the same: %v, %v", list, err)
	}
}

// scripted fails in a given way.
type scripted struct {
	httpapi.Engine
	err error
}

func (s scripted) Start(context.Context, *sluice.Plan, sluice.Actor) (sluice.DeploymentID, error) {
	return "", s.err
}

func (s scripted) Watch(context.Context, sluice.DeploymentID, sluice.Seq) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		if yield(engine.Update{Event: &sluice.Event{Seq: 1}}, nil) {
			yield(engine.Update{}, s.err)
		}
	}
}

func TestEveryErrorCrossesTheWire(t *testing.T) {
	at := sluice.Position{File: "deploy.yaml", Line: 3, Column: 5}
	tests := map[string]error{
		"with a cause": &sluice.Error{Code: sluice.Unavailable, Op: "apply StatefulSet/mongo", Message: "it is away",
			Hint: "wait", Pos: at, Err: io.ErrUnexpectedEOF},
		"diagnostics": sluice.Diagnostics{{Pos: at, Severity: sluice.SeverityError, Code: "unknown-key",
			Message: "unknown key", Hint: "leave it out"}},
	}
	for _, code := range []sluice.Code{
		sluice.Invalid, sluice.NotFound, sluice.Conflict, sluice.Unavailable, sluice.Unsupported, sluice.Denied,
		sluice.Exhausted, sluice.Failed, sluice.Cancelled, sluice.Internal,
	} {
		tests[string(code)] = sluice.Errorf(code, "this went wrong").WithHint("do that").At(at)
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			l, err := httpapi.Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			s := httpapi.NewServer(scripted{err: want})
			go func() { _ = s.Serve(l) }()
			defer s.Close()
			c, err := httpapi.Connect(t.Context(), socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, got := c.Start(t.Context(), plan("x"), sluice.Actor{})
			var streamed error
			for _, err := range c.Watch(t.Context(), "d", 0) {
				streamed = err
			}
			for _, got := range []error{got, streamed} {
				if got.Error() != want.Error() || sluice.ErrorCode(got) != sluice.ErrorCode(want) ||
					sluice.ErrorHint(got) != sluice.ErrorHint(want) {
					t.Errorf("got %v (%s; %s)", got, sluice.ErrorCode(got), sluice.ErrorHint(got))
				}
			}
		})
	}
}

func TestCallbacks(t *testing.T) {
	w := newWorld(t)
	now := time.Now
	id, err := w.client.Start(t.Context(), plan("shop"), sluice.Actor{Name: "me"})
	if err != nil {
		t.Fatal(err)
	}
	const step = sluice.StepID("staging/before/0")
	until(t, w, id, waits(step))
	server := httptest.NewServer(httpapi.NewCallbacks(w.engine, w.store, w.key, now))
	defer server.Close()
	url := httpapi.CallbackURL(server.URL, w.key, id, step)
	other := httpapi.CallbackURL(server.URL, w.key, id, "staging/before/1")

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
	id, err := w.client.Start(t.Context(), plan("shop"), sluice.Actor{Name: "me"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, w, id, waits("staging/before/0"))
	server := httptest.NewServer(httpapi.NewCallbacks(w.engine, w.store, w.key, time.Now))
	defer server.Close()
	url := httpapi.CallbackURL(server.URL, w.key, id, "staging/before/0") + "/callback"
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
