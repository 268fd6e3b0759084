package notify_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/notify"
	"github.com/sluice-cd/sluice/internal/storetest"
)

const (
	address    = "https://sluice.example.com"
	hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A request is what a receiver got.
type request struct {
	header http.Header
	body   []byte
}

// A receiver is an HTTP server that answers as it is told and keeps what it took.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	answer func(n int) int // the status of the nth call, from 1; nil: 204
	after  string          // Retry-After
	calls  int
	taken  []request
	came   chan struct{} // closed at the next request that is taken
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{came: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	status := http.StatusNoContent
	if r.answer != nil {
		status = r.answer(r.calls)
	}
	if r.after != "" {
		w.Header().Set("Retry-After", r.after)
	}
	w.WriteHeader(status)
	if status < 300 {
		r.taken = append(r.taken, request{q.Header.Clone(), body})
		close(r.came)
		r.came = make(chan struct{})
	}
}

// wait returns what was taken once that are so many.
func (r *receiver) wait(t *testing.T, many int) []request {
	t.Helper()
	late := time.After(time.Minute)
	for {
		r.mu.Lock()
		taken, came := r.taken, r.came
		r.mu.Unlock()
		if len(taken) >= many {
			return taken
		}
		select {
		case <-came:
		case <-late:
			t.Fatalf("%d were taken, want %d", len(taken), many)
		}
	}
}

// ids are the ids of the requests, each of which has a valid signature.
func ids(t *testing.T, list []request) (all []string) {
	t.Helper()
	hook, err := webhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range list {
		if err := hook.Verify(q.body, q.header); err != nil {
			t.Errorf("%s: %v", q.header.Get("webhook-id"), err)
		}
		all = append(all, q.header.Get("webhook-id"))
	}
	return all
}

// A tally counts.
type tally struct {
	news
	sent, failed, skipped int
}

func (c *tally) Sent(string) { c.change(func() { c.sent++ }) }

func (c *tally) Failed(string, sluice.Code) { c.change(func() { c.failed++ }) }

func (c *tally) Skipped(string) { c.change(func() { c.skipped++ }) }

// want waits until the counts are as wanted: a receiver knows of a notification before it is counted.
func (c *tally) want(t *testing.T, sent, failed, skipped int) {
	t.Helper()
	c.until(t, func() bool { return c.sent == sent && c.failed == failed && c.skipped == skipped })
}

// A news lets tests wait for changes.
type news struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil: nobody waits
}

func (n *news) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// until returns once it is so.
func (n *news) until(t *testing.T, isSo func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		n.mu.Lock()
		if isSo() {
			n.mu.Unlock()
			return
		}
		if n.changed == nil {
			n.changed = make(chan struct{})
		}
		changed := n.changed
		n.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			t.Fatal("it never came about")
		}
	}
}

// A world is a store, and one process that reads it for receivers.
type world struct {
	*storetest.Memory
	t     *testing.T
	tally tally

	puts   news
	put    map[string]sluice.Cursor // how far each reader has come
	waited news
	waits  []time.Duration // between attempts at a notification
}

func newWorld(t *testing.T) *world {
	return &world{Memory: storetest.NewMemory(), t: t, put: map[string]sluice.Cursor{}}
}

// PutCursor implements [sluice.Readers].
func (w *world) PutCursor(ctx context.Context, name string, c sluice.Cursor) error {
	err := w.Memory.PutCursor(ctx, name, c)
	if err == nil {
		w.puts.change(func() { w.put[name] = max(c, w.put[name]) })
	}
	return err
}

// putUpTo returns once the receiver named hook has come so far.
func (w *world) putUpTo(want sluice.Cursor) {
	w.t.Helper()
	w.puts.until(w.t, func() bool { return w.put["notifications/hook"] >= want })
}

// secrets are the values of sources, by the name of the variable.
func secrets(values map[string]string) func(config.Source) (string, error) {
	return func(s config.Source) (string, error) {
		if v, ok := values[s.Env]; ok {
			return v, nil
		}
		return "", sluice.Errorf(sluice.NotFound, "the environment variable %s is not set", s.Env)
	}
}

func hookTo(name, url string) config.Receiver {
	return config.Receiver{
		Name: name, Events: sluice.NotificationKinds,
		Webhook: &config.HookReceiver{URL: url, Secret: config.Source{Env: "SECRET"}, Format: config.FormatSluice},
	}
}

func outside(values map[string]string) notify.Outside {
	return notify.Outside{Client: &http.Client{}, Read: secrets(values), Now: time.Now, Address: address}
}

// reader reads for the receiver. Its waits are over at once; those for a lease hand the processor over.
func (w *world) reader(to config.Receiver) *notify.Reader {
	return &notify.Reader{
		To: to, Sender: notify.NewSender(to, outside(map[string]string{"SECRET": hookSecret})), Feed: w, Place: w,
		Address: address, Redact: func(text string) string { return strings.ReplaceAll(text, "hush", "[redacted]") },
		Tally: &w.tally, Logger: slog.New(slog.DiscardHandler),
		Wait: func(ctx context.Context, d time.Duration) bool {
			w.waited.change(func() { w.waits = append(w.waits, d) })
			select {
			case <-ctx.Done():
				return false
			case <-time.After(time.Millisecond):
				return true
			}
		},
	}
}

// run runs a reader until the function that it returns is called.
func (w *world) run(r *notify.Reader) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			<-done
		})
	}
	w.t.Cleanup(stop)
	return stop
}

// known puts the cursor of a receiver to the beginning of the feed, as if it had been configured before everything.
func (w *world) known(name string) {
	w.t.Helper()
	if err := w.PutCursor(w.t.Context(), "notifications/"+name, 0); err != nil {
		w.t.Fatal(err)
	}
}

// append appends events, which happen one second after the other.
func (w *world) append(id sluice.DeploymentID, events ...sluice.Event) {
	w.t.Helper()
	after := sluice.Seq(0)
	for e, err := range w.Read(w.t.Context(), id, 0) {
		if err == nil {
			after = e.Seq
		}
	}
	for i := range events {
		events[i].At = epoch.Add(time.Duration(int(after)+i) * time.Second)
	}
	if err := w.Append(w.t.Context(), id, after, events...); err != nil {
		w.t.Fatal(err)
	}
}

// planOf is a plan with one step in each of two targets.
func planOf(application string) *sluice.Plan {
	p := &sluice.Plan{Application: application}
	for _, name := range []string{"staging", "production"} {
		p.Targets = append(p.Targets, sluice.PlannedTarget{Name: name})
		p.Steps = append(p.Steps, sluice.PlannedStep{
			ID: sluice.StepID(name + "/before/0"), Target: name, Phase: sluice.PhaseBefore,
			StepSpec: sluice.StepSpec{Kind: sluice.KindPause},
		})
	}
	return p
}

func started(application string) sluice.Event {
	return sluice.Event{
		Kind: sluice.DeploymentStarted, Plan: planOf(application), Actor: &sluice.Actor{Name: "ana"},
	}
}

func ended(o sluice.Status) sluice.Event {
	return sluice.Event{Kind: sluice.DeploymentEnded, Outcome: o}
}

func stepEvent(kind sluice.EventKind, target string) sluice.Event {
	e := sluice.Event{Kind: kind, Step: sluice.StepID(target + "/before/0")}
	if kind == sluice.StepStarting {
		e.Progress = &sluice.Progress{}
	}
	return e
}

func waits(target string) sluice.Event {
	e := stepEvent(sluice.StepProgressed, target)
	e.Progress = &sluice.Progress{State: sluice.Waiting, Message: "look at the dashboard\nsecond line", Wait: &sluice.Wait{
		Signals: []string{sluice.SignalApprove, sluice.SignalReject}, Roles: []string{"release-manager"},
		Callback: "https://sluice.example.com/callbacks/hidden",
	}}
	return e
}

// whole appends deployments that start and succeed.
func (w *world) whole(from, to int) (want []string) {
	for i := from; i <= to; i++ {
		id := sluice.DeploymentID(fmt.Sprint("d", i))
		w.append(id, started("shop"), ended(sluice.StatusSucceeded))
		want = append(want, fmt.Sprintf("%s/1", id), fmt.Sprintf("%s/2", id))
	}
	return want
}

func itoa[T ~int64](n T) string { return fmt.Sprint(int64(n)) }
