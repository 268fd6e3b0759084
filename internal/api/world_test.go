package api_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/identity"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// gates are steps of which a pause waits for a person, and everything else is done at once.
type gates struct{ sc sluice.StepContext }

func (gates) New(sc sluice.StepContext) (sluice.Step, error) { return gates{sc}, nil }

func (gates) Check(context.Context) (sluice.Preview, error) { return sluice.Preview{}, nil }

func (g gates) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	if p.State = sluice.Done; g.sc.Step.Kind == sluice.KindPause {
		p.State = sluice.Waiting
		p.Wait = &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalReject}}
	}
	return p, nil
}

func (g gates) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	for _, s := range p.Signals {
		if s.Kind == sluice.SignalReject {
			return p, sluice.Errorf(sluice.Failed, "rejected: %s", s.Reason)
		}
		p.State, p.Wait = sluice.Done, nil
	}
	return p, nil
}

func (gates) Finish(context.Context, sluice.Progress) error { return nil }
func (gates) Undo(context.Context, sluice.Progress) error   { return nil }

// site is a site without accounts.
type site struct {
	store sluice.Store
	key   *secret.Key
}

func (s site) Surroundings() service.Surroundings {
	return service.Surroundings{Sealer: s.key}
}

func (site) Check(context.Context, *sluice.Plan) error { return nil }

func (site) Preview(ctx context.Context, p *sluice.Plan) (service.PlanPreview, error) {
	out, _, err := service.Preview(ctx, p, gates{}, nil)
	return out, err
}

func (site) Losses(context.Context, *sluice.Plan) (map[string]service.Loss, error) { return nil, nil }

func (s site) DeleteCheckpoint(ctx context.Context, c sluice.Checkpoint) error {
	return s.store.DeleteCheckpoint(ctx, c.ID)
}

// people are the callers of a world, by their tokens.
var people = map[string]access.Caller{
	"root": {Actor: sluice.Actor{Name: "root", Identity: "test#root"}, Grants: []access.Grant{{Verbs: access.Verbs}}},
	"ana": {Actor: sluice.Actor{Name: "ana", Identity: "test#ana", Roles: []string{"developer"}},
		Grants: []access.Grant{{Verbs: access.Verbs, Applications: []string{"shop"}}}},
	"bob": {Actor: sluice.Actor{Name: "bob", Identity: "test#bob"},
		Grants: []access.Grant{{Verbs: access.Verbs, Applications: []string{"billing"}}}},
}

func caller(r *http.Request) (access.Caller, error) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, ok := people[token]
	if verb, isVerb := strings.CutPrefix(token, "only-"); isVerb {
		grant := access.Grant{Verbs: []access.Verb{access.Verb(verb)}, Applications: []string{"shop"}}
		if verb == string(access.Administer) {
			grant.Applications = nil
		}
		if grant.Verbs[0] != access.View { // without it nothing is found
			grant.Verbs = append(grant.Verbs, access.View)
		}
		c, ok = access.Caller{Actor: sluice.Actor{Name: token, Identity: token}, Grants: []access.Grant{grant}}, true
	}
	if !ok {
		return c, sluice.Errorf(sluice.Unauthenticated, "the request names nobody").WithHint("type: sluice login")
	}
	c.Actor.Via = "api"
	return c, nil
}

// world is a server that listens, over a store.
type world struct {
	store  sluice.Store
	server *server.Server
	copies *copies
	http   *httptest.Server
}

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// eachStore runs the test over every store. Without PostgreSQL the part over it is skipped.
func eachStore(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, openStore(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, openDatabase(t))) })
}

func openStore(t testing.TB) sluice.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	return closing(t, store, err)
}

func openDatabase(t testing.TB) sluice.Store {
	t.Helper()
	address := postgrestest.Shared(t).Address(postgrestest.Database(t, t.TempDir()))
	store, err := postgres.Open(t.Context(), address)
	return closing(t, store, err)
}

// closing closes the store when the test ends.
func closing(t testing.TB, store sluice.Store, err error) sluice.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func newWorld(t testing.TB, store sluice.Store) *world {
	t.Helper()
	key, err := secret.NewKey(make([]byte, secret.KeyBytes), new(secret.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New(engine.Config{Store: store, Steps: gates{}, Now: time.Now, Random: rand.Reader})
	w := &world{store: store, copies: newCopies()}
	w.server = server.New(server.Config{
		Store: store, Engine: e, Site: site{store, key}, Copies: w.copies, Pods: w.copies, Dir: t.TempDir(), Now: time.Now,
		Refusals: identity.NewRefusals(store, time.Now),
		Examine:  func(context.Context, service.Source) ([]service.Check, error) { return []service.Check{}, nil },
	})
	w.http = httptest.NewServer(api.New(api.Config{
		Server: w.server, Caller: caller,
		Identity: func() access.Discovery { return access.Discovery{Issuer: "https://issuer"} },
		MakeToken: func(context.Context, api.TokenRequest, sluice.Actor) (sluice.Token, string, error) {
			return sluice.Token{ID: "t2"}, "sluice_t2_secret", nil
		},
	}))
	t.Cleanup(func() {
		w.http.CloseClientConnections()
		w.http.Close()
		w.server.Close()
		if err := e.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// as returns a client with the token of a person.
func (w *world) as(t *testing.T, token string) *api.Client {
	t.Helper()
	give := func(context.Context) (string, error) { return token, nil }
	c, err := api.Connect(w.http.URL, give, &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// bundle is a deploy file of the application whose only gate is a pause.
func bundle(application string) service.Bundle {
	deploy := `version: v1
kind: kubernetes
application: ` + application + `
targets:
  staging:
    account: cluster01
    namespace: ` + application + `
    strategy: rolling
    constraints:
      beforeDeployment:
        - pause: {untilApproved: true}
strategies:
  rolling:
    canary: {steps: [{setWeight: {weight: 100}}]}
manifests:
  - path: manifests/config.yaml
`
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: b}\n"
	return service.Bundle{File: "deploy.yaml", Files: map[string][]byte{
		"deploy.yaml": []byte(deploy), "manifests/config.yaml": []byte(config),
	}}
}

// wire is the bundle as the API takes it.
func wire(b service.Bundle) api.Bundle {
	return api.Bundle{File: b.File, Files: b.Files, Context: b.Context}
}

const gate = sluice.StepID("staging/before/0")

// waiting starts a deployment of the application and returns when its gate waits.
func (w *world) waiting(t *testing.T, application string) sluice.DeploymentID {
	t.Helper()
	c := w.as(t, "root")
	started, err := c.Deploy(t.Context(), bundle(application))
	if err != nil {
		t.Fatal(err)
	}
	w.until(t, started.ID, func(e sluice.Event) bool { return e.Kind == sluice.StepProgressed && e.Step == gate })
	return started.ID
}

// until reads the updates of a deployment up to the event that is wanted.
func (w *world) until(t *testing.T, id sluice.DeploymentID, wanted func(sluice.Event) bool) []sluice.Event {
	t.Helper()
	var events []sluice.Event
	for u, err := range w.as(t, "root").Watch(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Event == nil {
			continue
		}
		if events = append(events, *u.Event); wanted(*u.Event) {
			return events
		}
	}
	t.Fatalf("the stream ended before: %v", events)
	return nil
}

func ended(e sluice.Event) bool { return e.Kind == sluice.DeploymentEnded }

func wants(t *testing.T, what string, err error, code sluice.Code) {
	t.Helper()
	if code == "" && err == nil || code != "" && err != nil && sluice.ErrorCode(err) == code {
		return
	}
	t.Errorf("%s: %v (%s), want %q", what, err, sluice.ErrorCode(err), code)
}

func ids(list []sluice.Deployment) (all []sluice.DeploymentID) {
	for _, d := range list {
		all = append(all, d.ID)
	}
	slices.Sort(all)
	return all
}
