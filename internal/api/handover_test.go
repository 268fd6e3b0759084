package api_test

import (
	"context"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/server"
)

// scripted is an engine that fails in a given way. With no error it leaves a deployment after its first event.
type scripted struct {
	server.Engine
	err     error
	started *[]*sluice.Plan
}

func (s scripted) Start(_ context.Context, p *sluice.Plan, _ sluice.Actor) (sluice.DeploymentID, error) {
	*s.started = append(*s.started, p)
	return "d", s.err
}

func (s scripted) Watch(context.Context, sluice.DeploymentID, sluice.Seq) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		if yield(engine.Update{Event: &sluice.Event{Seq: 1}}, nil) && s.err != nil {
			yield(engine.Update{}, s.err)
		}
	}
}

// owned returns a client of a server that takes plans, over the engine. The store has the deployment d.
func owned(t *testing.T, err error) (client *api.Client, started *[]*sluice.Plan) {
	t.Helper()
	store, started := openStore(t), new([]*sluice.Plan)
	first := sluice.Event{Kind: sluice.DeploymentStarted, At: time.Now(), Plan: &sluice.Plan{Application: "shop"}}
	if err := store.Append(t.Context(), "d", 0, first); err != nil {
		t.Fatal(err)
	}
	core := server.New(server.Config{Store: store, Engine: scripted{nil, err, started}, Now: time.Now, Alone: true})
	t.Cleanup(core.Close)
	listening := httptest.NewServer(api.New(api.Config{
		Server: core, Owned: true, Identity: func() access.Discovery { return access.Discovery{} },
		Caller: func(r *http.Request) (access.Caller, error) {
			return access.Everything(sluice.Actor{Name: r.Header.Get("Authorization")}), nil
		},
	}))
	t.Cleanup(listening.Close)
	dial := func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", listening.Listener.Addr().String())
	}
	client = api.Direct("me", &http.Client{Transport: &http.Transport{DialContext: dial}})
	t.Cleanup(client.Close)
	return client, started
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
			c, _ := owned(t, want)
			_, got := c.HandOver(t.Context(), &sluice.Plan{Application: "shop"})
			var streamed error
			for _, err := range c.Watch(t.Context(), "d", 0) {
				streamed = err
			}
			for _, got := range []error{got, streamed} {
				if got == nil || got.Error() != want.Error() || sluice.ErrorCode(got) != sluice.ErrorCode(want) ||
					sluice.ErrorHint(got) != sluice.ErrorHint(want) {
					t.Errorf("got %v (%s; %s)", got, sluice.ErrorCode(got), sluice.ErrorHint(got))
				}
			}
		})
	}
}

func TestHandedOverPlansAreBounded(t *testing.T) {
	c, started := owned(t, nil)
	if id, err := c.HandOver(t.Context(), &sluice.Plan{Application: "shop"}); id != "d" || err != nil {
		t.Errorf("handed over is %q, %v", id, err)
	}
	large := &sluice.Plan{Application: "shop", Description: strings.Repeat("x", 64<<20)}
	_, err := c.HandOver(t.Context(), large)
	wants(t, "a plan of more than 64 MiB", err, sluice.Invalid)
	_, err = c.HandOver(t.Context(), nil)
	wants(t, "no plan", err, sluice.Invalid)
	if len(*started) != 1 || (*started)[0].Application != "shop" {
		t.Errorf("started are %v", *started)
	}
}

func TestWatchEndsWithTheOnlyEngine(t *testing.T) {
	c, _ := owned(t, nil)
	seen := 0
	for u, err := range c.Watch(t.Context(), "d", 0) {
		if err != nil || u.Event.Seq != 1 {
			t.Errorf("watched is %+v, %v", u, err)
		}
		seen++
	}
	if seen != 1 {
		t.Errorf("%d updates", seen)
	}
	for _, err := range c.Watch(t.Context(), "nothing", 0) {
		wants(t, "an unknown deployment", err, sluice.NotFound)
	}
}

func TestAnEngineOfAnotherVersion(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	c := api.Direct("me", &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("tcp", other.Listener.Addr().String())
		},
	}})
	defer c.Close()
	_, err := c.Caller(t.Context())
	wants(t, "its answer", err, sluice.Unavailable)
	if !strings.Contains(err.Error(), "another version") {
		t.Error(err)
	}
}

func TestPlansAreHandedOverToOwnersOnly(t *testing.T) {
	w := newWorld(t, openStore(t))
	_, err := w.as(t, "root").HandOver(t.Context(), &sluice.Plan{Application: "shop"})
	wants(t, "a plan for a server", err, sluice.NotFound)
}
