package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
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
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

const testHookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// A hook is a receiver of webhooks that keeps what it got.
type hook struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	before func(id string, times int) // is called with the lock, before the answer
	got    []string                   // ids and types, in the order in which they came, repetitions included
	times  map[string]int
	came   chan struct{} // closed at the next one
}

func newHook(t *testing.T) *hook {
	h := &hook{t: t, times: map[string]int{}, came: make(chan struct{})}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var event struct{ ID, Type string }
	verifier, invalid := webhooks.NewWebhook(testHookSecret)
	if err := errors.Join(invalid, verifier.Verify(body, r.Header), json.Unmarshal(body, &event)); err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times[event.ID]++; h.before != nil {
		h.before(event.ID, h.times[event.ID])
	}
	h.got = append(h.got, event.ID+" "+strings.TrimPrefix(event.Type, "io.github.sluice-cd."))
	close(h.came)
	h.came = make(chan struct{})
}

// wait returns once something with the ending came for the deployment.
func (h *hook) wait(id sluice.DeploymentID, ending string) {
	h.t.Helper()
	late := time.After(3 * time.Minute)
	for {
		h.mu.Lock()
		got, came := slices.Clone(h.got), h.came
		h.mu.Unlock()
		if slices.ContainsFunc(got, func(s string) bool {
			return strings.HasPrefix(s, string(id)+"/") && strings.HasSuffix(s, ending)
		}) {
			return
		}
		select {
		case <-came:
		case <-late:
			h.t.Fatalf("%s of %s never came: %v", ending, id, got)
		}
	}
}

// check fails unless each deployment was told whole and in order, and no more than so many notifications were repeated,
// each once.
func (h *hook) check(repeated int, ids ...sluice.DeploymentID) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		var kinds []string
		seen := map[string]bool{}
		for _, s := range h.got {
			if of, kind, _ := strings.Cut(s, " "); strings.HasPrefix(of, string(id)+"/") && !seen[of] {
				seen[of] = true
				kinds = append(kinds, kind)
			}
		}
		want := []string{"deployment.started", "step.waiting", "step.decided", "deployment.succeeded"}
		if diff := cmp.Diff(want, kinds); diff != "" {
			h.t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if extra := len(h.got) - len(h.times); extra > repeated {
		h.t.Errorf("%d were repeated, %d may be: %v", extra, repeated, h.got)
	}
	for id, n := range h.times {
		if n > 2 {
			h.t.Errorf("%s came %d times", id, n)
		}
	}
}

// notifying is the configuration of a server that calls the hook.
func notifying(h *hook) string {
	return "  notifications:\n    hook:\n      events: [\"*\"]\n      webhook: {url: " + h.URL +
		", secret: {env: HOOK_SECRET}}\nwebhooks: {allow: [127.0.0.1]}"
}

// deployThrough deploys and approves, while servers come and go.
func (h *hook) deployThrough(ctx context.Context, c *api.Client) sluice.DeploymentID {
	h.t.Helper()
	started, err := c.Deploy(ctx, gatedBundle())
	if err != nil {
		h.t.Fatal(err)
	}
	h.wait(started.ID, "step.waiting")
	approve := sluice.Signal{Kind: sluice.SignalApprove, Step: "staging/before/0"}
	for err = c.Signal(ctx, started.ID, approve); err != nil; err = c.Signal(ctx, started.ID, approve) {
		if code := sluice.ErrorCode(err); code == sluice.Conflict {
			break // it was applied, and the answer was lost
		} else if code != sluice.Unavailable {
			h.t.Fatal(err)
		}
	}
	h.wait(started.ID, "deployment.succeeded")
	return started.ID
}

func connected(t *testing.T, url string) *api.Client {
	t.Helper()
	c, err := api.Connect(url, func(context.Context) (string, error) { return "", nil }, &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestNotificationsSurviveKill kills the server each time a new notification has arrived and before it is answered, so
// before the cursor is put. The next server repeats that one, and nothing else.
func TestNotificationsSurviveKill(t *testing.T) {
	const most = 6
	h, dir := newHook(t), t.TempDir()
	text := "accounts:\n  local: {type: local}\nserver:\n" + notifying(h) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "sluice.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOOK_SECRET="+testHookSecret)
	url, stop, err := startServer(dir, env, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kills, again, done := 0, make(chan struct{}, most), make(chan struct{})
	h.before = func(_ string, times int) {
		if times > 1 || kills == most {
			return
		}
		kills++
		if err := stop(unix.SIGKILL); err != nil {
			t.Error(err)
		}
		again <- struct{}{}
	}
	go func() {
		defer close(done)
		for range again {
			_, next, err := startServer(dir, env, strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			h.mu.Lock()
			stop = next
			h.mu.Unlock()
		}
	}()
	c := connected(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ids := []sluice.DeploymentID{h.deployThrough(ctx, c), h.deployThrough(ctx, c), h.deployThrough(ctx, c)}
	close(again)
	<-done
	if err := stop(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if kills != most {
		t.Errorf("%d servers were killed", kills)
	}
	h.check(most, ids...)
}

// TestServersNotifyOnce runs two servers over one database. Each notification comes once; when the server that sends is
// killed, the other one goes on and repeats one at most.
func TestServersNotifyOnce(t *testing.T) {
	address := postgrestest.Shared(t).Address(postgrestest.Database(t, "notify"))
	h := newHook(t)
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	env := append(os.Environ(), "SLUICE_DATABASE="+address, "SLUICE_KEY="+key, "HOOK_SECRET="+testHookSecret)
	stops := map[int]func(unix.Signal) error{}
	var clients []*api.Client
	for i := range 2 {
		dir := t.TempDir()
		writeServer(t, dir, "  key: {env: SLUICE_KEY}\n"+notifying(h))
		url, stop, err := startServer(dir, env, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		clients, stops[i] = append(clients, connected(t, url)), stop
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ids := []sluice.DeploymentID{h.deployThrough(ctx, clients[0]), h.deployThrough(ctx, clients[1])}
	h.check(0, ids...)
	if err := stops[0](unix.SIGKILL); err != nil { // it came first, so it sends
		t.Fatal(err)
	}
	delete(stops, 0)
	ids = append(ids, h.deployThrough(ctx, clients[1]))
	for _, i := range slices.Sorted(maps.Keys(stops)) {
		if err := stops[i](unix.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	h.check(1, ids...)
}
