package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/service"
)

// A fleet is servers that share a database.
type fleet struct {
	*testing.T
	clients []*api.Client
	stops   []func(unix.Signal) error
	called  *receiver
}

// A receiver counts the calls of webhooks by their idempotency key.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int
}

func newFleet(t *testing.T, address string, many int) *fleet {
	t.Helper()
	f := &fleet{T: t, called: &receiver{calls: map[string]int{}}}
	f.called.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f.called.mu.Lock()
		defer f.called.mu.Unlock()
		f.called.calls[r.Header.Get("Idempotency-Key")]++
	}))
	t.Cleanup(f.called.Close)
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	env := append(os.Environ(), "SLUICE_DATABASE="+address, "SLUICE_KEY="+key)
	for range many {
		dir := t.TempDir()
		writeServer(t, dir, "  key: {env: SLUICE_KEY}\nwebhooks: {allow: [127.0.0.1]}")
		url, stop, err := startServer(dir, env, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stop(unix.SIGKILL) }) // after a failure; otherwise it has ended
		c, err := api.Connect(url, func(context.Context) (string, error) { return "", nil }, &http.Client{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		f.clients, f.stops = append(f.clients, c), append(f.stops, stop)
	}
	return f
}

// bundle is a deployment that waits for an approval, changes an object and calls the receiver.
func (f *fleet) bundle(application string) service.Bundle {
	b := gatedBundle()
	b.Files["deploy.yaml"] = []byte(strings.Join([]string{
		"version: v1", "kind: kubernetes", "application: " + application,
		"targets:", "  staging:", "    account: local", "    namespace: " + application, "    constraints:",
		"      beforeDeployment: [{pause: {untilApproved: true}}]",
		"      afterDeployment: [{runWebhook: {name: tell}}]",
		"manifests:", "  - path: manifests/config.yaml",
		"webhooks:", "  - name: tell", "    uriTemplate: " + f.called.URL, "    disableCallback: true",
		"    bodyTemplate: {inline: done}", "",
	}, "\n"))
	return b
}

// approve lets deployments go on, through the server.
func (f *fleet) approve(server int, ids ...sluice.DeploymentID) {
	f.Helper()
	for _, id := range ids {
		sig := sluice.Signal{Kind: sluice.SignalApprove, Step: "staging/before/0"}
		if err := f.clients[server].Signal(f.Context(), id, sig); err != nil {
			f.Fatal(err)
		}
	}
}

// ended waits until the deployment has ended, and fails if something is missing or was done twice.
func (f *fleet) ended(ctx context.Context, server int, id sluice.DeploymentID) {
	f.Helper()
	events := waitFor(f.T, ctx, f.clients[server], id, over)
	begun := map[sluice.StepID]int{}
	for i, e := range events {
		if e.Seq != sluice.Seq(i+1) {
			f.Errorf("%s: event %d has the number %d", id, i+1, e.Seq)
		}
		if e.Kind == sluice.StepStarting {
			begun[e.Step]++
		}
	}
	for step, n := range begun {
		if n != 1 {
			f.Errorf("%s: %s started %d times", id, step, n)
		}
	}
	if last := events[len(events)-1]; last.Outcome != sluice.StatusSucceeded {
		f.Errorf("%s: outcome %s", id, last.Outcome)
	}
}

// Three servers run many deployments. One server is killed, the database is away, and another server stands still until
// everything is over. Every deployment succeeds, and nothing is done twice.
func TestFleetOutlivesFaults(t *testing.T) {
	many, outage := 30, 10*time.Second
	if os.Getenv("SLUICE_LONG") != "" {
		many, outage = 100, time.Minute
	}
	database := postgrestest.New(t)
	f := newFleet(t, database.Address("postgres"), 3)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var ids []sluice.DeploymentID
	for i := range many {
		started, err := f.clients[i%3].Deploy(ctx, f.bundle(fmt.Sprint("app-", i)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, started.ID)
	}
	for _, id := range ids {
		waitFor(t, ctx, f.clients[2], id, func(e sluice.Event) bool {
			return e.Progress != nil && e.Progress.Wait != nil
		})
	}
	third := many / 3

	f.approve(2, ids[:third/2]...)
	must(t, f.stops[0](unix.SIGKILL))
	f.approve(2, ids[third/2:third]...)
	for _, id := range ids[:third] {
		f.ended(ctx, 2, id)
	}

	f.approve(1, ids[third:2*third]...)
	database.Down()
	time.Sleep(outage) // that long the database is away
	must(t, database.Up())
	for _, id := range ids[third : 2*third] {
		f.ended(ctx, 1, id)
	}

	must(t, f.stops[1](unix.SIGSTOP))
	f.approve(2, ids[2*third:]...)
	for _, id := range ids[2*third:] {
		f.ended(ctx, 2, id)
	}
	must(t, f.stops[1](unix.SIGCONT))
	for _, id := range ids { // the one that stood still knows what happened, and changes nothing
		f.ended(ctx, 1, id)
	}
	for _, stop := range f.stops[1:] {
		must(t, stop(unix.SIGTERM))
	}
	repeated := 0
	for _, id := range ids {
		n := f.called.calls[string(id)+"/staging/after/0"]
		if n == 0 || n > 2 {
			t.Errorf("%s called the receiver %d times", id, n)
		}
		repeated += max(0, n-1)
	}
	t.Logf("%d of %d calls were cut off and sent again with the same key", repeated, many)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
