package pages

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/enginetest"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/gate"
)

// A world is a store, an engine and the pages over them.
type world struct {
	t      testing.TB
	store  *sqlite.Store
	engine *engine.Engine
	pages  *Pages
	server *httptest.Server
	steps  *steps
	checks []service.Check
}

// people are the callers that the world knows, by the cookie "who".
var people = map[string]access.Caller{
	"ana": {
		Actor:  sluice.Actor{Name: "ana", Roles: []string{"owner"}, Identity: "test#ana"},
		Grants: []access.Grant{{Verbs: access.Verbs}},
	},
	"vic": {Actor: sluice.Actor{Name: "vic", Identity: "test#vic"}, Grants: []access.Grant{
		{Verbs: []access.Verb{access.View}},
	}},
	"kim": {Actor: sluice.Actor{Name: "kim", Identity: "test#kim"}, Grants: []access.Grant{
		{Verbs: []access.Verb{access.Administer}, Applications: []string{"shop"}},
	}},
	"sam": {Actor: sluice.Actor{Name: "sam", Identity: "test#sam"}, Grants: []access.Grant{
		{Verbs: []access.Verb{access.View, access.Approve}, Applications: []string{"search"}},
	}},
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: store, steps: &steps{store: store}}
	w.engine = engine.New(engine.Config{Store: store, Steps: w.steps, Now: time.Now, Random: rand.Reader})
	core := server.New(server.Config{
		Store: store, Engine: w.engine, Site: site{store}, Dir: t.TempDir(), Now: time.Now,
		Examine: func(context.Context, service.Source) ([]service.Check, error) { return w.checks, nil },
	})
	w.pages = New(Config{Server: core, Caller: caller})
	ctx, cancel := context.WithCancel(context.Background())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		w.pages.Follow(ctx, func(err error) { t.Error(err) })
	}()
	w.server = httptest.NewServer(w.pages)
	t.Cleanup(func() {
		cancel()
		w.server.CloseClientConnections()
		w.server.Close()
		<-followed
		if err := w.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func caller(r *http.Request) (access.Caller, error) {
	name := "ana"
	if c, err := r.Cookie("who"); err == nil {
		name = c.Value
	}
	if c, ok := people[name]; ok {
		return c, nil
	}
	return access.Caller{}, sluice.Errorf(sluice.Unauthenticated, "nobody is logged in")
}

// site is where the world deploys to: everything is allowed, and nothing is lost.
type site struct{ store sluice.Store }

func (site) Surroundings() service.Surroundings        { return service.Surroundings{} }
func (site) Check(context.Context, *sluice.Plan) error { return nil }
func (s site) DeleteCheckpoint(ctx context.Context, c sluice.Checkpoint) error {
	return s.store.DeleteCheckpoint(ctx, c.ID)
}

func (site) Preview(context.Context, *sluice.Plan) (service.PlanPreview, error) {
	return service.PlanPreview{}, nil
}

func (site) Losses(context.Context, *sluice.Plan) (map[string]service.Loss, error) { return nil, nil }

// steps makes real pauses, and steps that record what a test says.
type steps struct {
	store    sluice.Store
	measured atomic.Int64                      // how many analyses were judged
	says     map[sluice.StepID]sluice.Progress // what a step records when it is done
	fails    map[sluice.StepID]*sluice.Error
	hold     map[sluice.StepID]chan struct{} // see wait
}

func (m *steps) New(sc sluice.StepContext) (sluice.Step, error) {
	if sc.Step.Pause != nil {
		return gate.NewPause(deps.Deps{Now: time.Now}, sc)
	}
	return scripted{m, sc}, nil
}

type scripted struct {
	*steps
	sc sluice.StepContext
}

func (s scripted) Check(context.Context) (sluice.Preview, error) { return sluice.Preview{}, nil }

func (s scripted) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	id := s.sc.Step.ID
	if err := s.wait(ctx); err != nil {
		return p, err
	}
	said := s.says[id]
	p.State, p.Message, p.Changes, p.Result = sluice.Done, said.Message, said.Changes, said.Result
	if said.Result != nil && said.Result.Judgment != nil {
		p.Result = &sluice.Result{
			Judgment: measured(*said.Result.Judgment, time.Now(), s.measured.Add(1)%3),
		}
	}
	if s.sc.Step.Apply != nil && len(p.Changes) == 0 {
		for _, o := range s.sc.Step.Apply.Objects {
			p.Changes = append(p.Changes, sluice.Change{Object: o.Ref().String(), Outcome: sluice.Configured})
		}
	}
	if err := s.fails[id]; err != nil {
		return p, err
	}
	return p, nil
}

// wait reports how far the step is for each value from the channel that holds it, until the channel is closed.
func (s scripted) wait(ctx context.Context) error {
	hold := s.hold[s.sc.Step.ID]
	for hold != nil {
		select {
		case _, goesOn := <-hold:
			if !goesOn {
				return nil
			}
			s.sc.Report(sluice.Progress{
				State: sluice.Running, Message: "copies " + s.sc.Step.Target,
				Amount: &sluice.Amount{Unit: "bytes", Done: 3 << 20, Total: 8 << 20},
			})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// measured moves the samples of a judgment to where the step began.
func measured(j sluice.Judgment, begin time.Time, times int64) *sluice.Judgment {
	j.Samples = slices.Clone(j.Samples)
	by := begin.Sub(j.Samples[0].Start)
	for i := range j.Samples {
		value := *j.Samples[i].Value * (1 + 0.3*float64(times))
		j.Samples[i].Value = &value
		j.Samples[i].Start, j.Samples[i].End = j.Samples[i].Start.Add(by), j.Samples[i].End.Add(by)
	}
	return &j
}

func (s scripted) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	return p, nil
}
func (scripted) Finish(context.Context, sluice.Progress) error { return nil }
func (scripted) Undo(context.Context, sluice.Progress) error   { return nil }

// planOf is a plan for staging and then production. Production waits for an approval.
func planOf(application, tag string) *sluice.Plan { return enginetest.PlanOf(application, tag) }

func (w *world) start(p *sluice.Plan, by string) sluice.DeploymentID {
	w.t.Helper()
	id, err := w.engine.Start(w.t.Context(), p, sluice.Actor{Name: by, Via: "cli"})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// until waits for an event of a deployment.
func (w *world) until(id sluice.DeploymentID, want func(sluice.Event) bool) {
	w.t.Helper()
	for u, err := range w.engine.Watch(w.t.Context(), id, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		if u.Event != nil && want(*u.Event) {
			return
		}
	}
	w.t.Fatalf("deployment %s ended before", id)
}

func (w *world) untilWaits(id sluice.DeploymentID) {
	w.t.Helper()
	w.until(id, func(e sluice.Event) bool {
		return e.Kind == sluice.StepProgressed && e.Progress.State == sluice.Waiting
	})
}

func hasEnded(e sluice.Event) bool { return e.Kind == sluice.DeploymentEnded }

// deploy runs a plan to its end.
func (w *world) deploy(p *sluice.Plan) sluice.DeploymentID {
	w.t.Helper()
	id := w.start(p, "ci")
	w.untilWaits(id)
	sig := sluice.Signal{Kind: sluice.SignalApprove, Step: "production/canary/1", By: people["ana"].Actor}
	if err := w.engine.Signal(w.t.Context(), id, sig); err != nil {
		w.t.Fatal(err)
	}
	w.until(id, hasEnded)
	return id
}

// get fetches a page as somebody.
func (w *world) get(path, who string, header ...string) (*http.Response, string) {
	w.t.Helper()
	return w.request(http.MethodGet, path, who, nil, header...)
}

// post submits a form as somebody.
func (w *world) post(path, who string, form url.Values, header ...string) (*http.Response, string) {
	w.t.Helper()
	return w.request(http.MethodPost, path, who, form, header...)
}

func (w *world) request(
	method, path, who string, form url.Values, header ...string,
) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "who", Value: who})
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer, string(body)
}

// evidence lets the steps of the plan record what a person judges by.
func (m *steps) evidence() {
	begin := time.Now().Add(-3 * time.Minute)
	var samples []sluice.Sample
	for i, value := range []float64{0.002, 0.003, 0.0025, 0.012, 0.004, 0.003} {
		s := sluice.Sample{
			Query: "errors", Start: begin.Add(time.Duration(i) * 30 * time.Second), Value: &value, Verdict: sluice.Good,
		}
		s.End = s.Start.Add(30 * time.Second)
		if value > 0.01 {
			s.Verdict, s.Reason = sluice.Bad, "0.012 is above 0.01"
		}
		samples = append(samples, s)
	}
	judgment := &sluice.Judgment{Verdict: sluice.Good, Reason: "errors is good in 5 of 6 samples", Samples: samples}
	verification := &sluice.Verification{
		Dataset: "orders", Passed: false, Reason: "12 documents are missing", Documents: 48211,
		Comparison: sluice.Comparison{Collections: []sluice.CollectionComparison{
			{Name: "orders", Missing: 12, Added: 240, Changed: 3, MissingKeys: keys(12),
				ChangedKeys: []sluice.ChangedKey{{Key: `ObjectId("65f0")`, Fields: []string{"total"}}}},
			{Name: "carts", Added: 18},
		}},
		Invariants: []sluice.InvariantJudgment{
			{Name: "paid orders", Passed: true, Value: 9120, Baseline: 9120},
			{Name: "sum of totals", Value: 182211.5, Baseline: 182411, Reason: "it is lower than the baseline"},
		},
	}
	m.says = map[sluice.StepID]sluice.Progress{
		"staging/canary/1":    {Message: judgment.Reason, Result: &sluice.Result{Judgment: judgment}},
		"staging/canary/0":    {Message: "Deployment/shop gets 50 % of the traffic; 2 of 4 pods are new"},
		"production/canary/0": {Message: "Deployment/shop gets 25 % of the traffic; 1 of 4 pods is new"},
		"production/apply": {Message: "the new version is ready beside the old one", Changes: []sluice.Change{
			{Object: "Deployment/shop", Outcome: sluice.Configured,
				Diff: "--- before\n+++ after\n@@ -1,3 +1,3 @@\n image:\n-  shop:2.2\n+  shop:2.3\n"},
			{Object: "Service/shop", Outcome: sluice.Unchanged}, {Object: "ConfigMap/shop", Outcome: sluice.Created},
		}, Result: &sluice.Result{Brought: []sluice.Brought{
			{Workload: sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"}, Pods: 4, Unready: 1},
		}}},
		"production/after/0":  {Message: "verified", Result: &sluice.Result{Verification: verification}},
		"production/before/0": {Message: "checkpoint taken", Result: &sluice.Result{Checkpoint: "c-shop-1"}},
	}
	m.fails = map[sluice.StepID]*sluice.Error{}
}

func keys(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf(`ObjectId("65f0a%02d")`, i))
	}
	return list
}

// checkpoint puts the copy that the steps name into the catalogue.
func (w *world) checkpoint(of sluice.DeploymentID) {
	w.t.Helper()
	err := w.store.PutCheckpoint(w.t.Context(), sluice.Checkpoint{
		ID: "c-shop-1", Application: "shop", Deployment: of, Step: "production/before/0", Owner: "ci", Dataset: "orders",
		Target: "production", Account: "east", Namespace: "shop", TakenAt: time.Now().Add(-2 * time.Hour),
		Pause: 840 * time.Millisecond, Copy: sluice.Copy{Mover: "kopia", Bytes: 3 << 30, Added: 40 << 20, Files: 41},
		Fingerprint: sluice.Fingerprint{Engine: "mongodb", Version: "7.0.5", Collections: []sluice.CollectionFingerprint{
			{Name: "orders", Count: 48211}, {Name: "carts", Count: 310},
		}},
		Expires: time.Now().Add(30 * 24 * time.Hour),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// busy fills the world with applications in every state.
func (w *world) busy() {
	w.t.Helper()
	w.checks = []service.Check{
		{Name: "account east", State: service.CheckOK, Detail: "Kubernetes v1.34.1 answers in 12 ms"},
		{Name: "account west", State: service.CheckWrong, Detail: "no answer within 15s", Code: sluice.Unavailable,
			Hint: "check the address of the cluster in its kubeconfig"},
		{Name: "metrics prometheus", State: service.CheckWarning, Detail: "answers, but has no series of 2 queries",
			Hint: "see the queries with: sluice doctor -f deploy.yaml"},
	}
	for _, name := range []string{"billing", "carts", "mail"} {
		w.deploy(planOf(name, "1.9"))
	}
	w.deploy(planOf("search", "4.0"))
	w.steps.fails["staging/canary/1"] = &sluice.Error{Code: sluice.Failed,
		Message: "the analysis is bad: errors is 0.012, above 0.01, in 3 of 6 samples",
		Hint:    "see the values on this page, and deploy a fixed release"}
	w.until(w.start(planOf("search", "4.1"), "ci"), hasEnded)
	delete(w.steps.fails, "staging/canary/1")
	w.checkpoint(w.deploy(planOf("shop", "2.1")))
	w.deploy(planOf("shop", "2.2"))
	wide := planOf("shop", "2.3")
	wide.Targets = append(wide.Targets, sluice.PlannedTarget{
		Name: "production-eu", Account: "north", Namespace: "shop", DependsOn: []string{"production"}, AfterFailure: "keep",
		Irreversible: []string{`what the receiver of webhook "tests" does is not undone`},
	})
	last := sluice.StepID("production-eu/apply")
	for _, s := range wide.Steps[4:] {
		s.ID, s.Target = sluice.StepID("production-eu"+strings.TrimPrefix(string(s.ID), "production")), "production-eu"
		for i := range s.After {
			s.After = []sluice.StepID{sluice.StepID("production-eu" + strings.TrimPrefix(string(s.After[i]), "production"))}
		}
		wide.Steps, last = append(wide.Steps, s), s.ID
	}
	for i := range 6 {
		s := sluice.PlannedStep{
			ID:     sluice.StepID(fmt.Sprintf("production-eu/after/%d", i+1)),
			Target: "production-eu", Phase: sluice.PhaseAfter, After: []sluice.StepID{last},
			StepSpec: sluice.StepSpec{Kind: sluice.KindRunJob, RunJob: &sluice.RunJob{Name: fmt.Sprintf("check-%d", i)}},
		}
		wide.Steps, last = append(wide.Steps, s), s.ID
	}
	id := w.start(wide, "ana")
	w.untilWaits(id)
	hold := make(chan struct{})
	w.t.Cleanup(func() { close(hold) })
	w.steps.hold = map[sluice.StepID]chan struct{}{"staging/canary/0": hold}
	reports := w.start(planOf("reports", "7.0"), "ci")
	w.until(reports, func(e sluice.Event) bool { return e.Kind == sluice.StepStarting && e.Step == "staging/canary/0" })
	for _, e := range []sluice.AuditEntry{
		{Verb: "deploy", Application: "shop", Deployment: id, Allowed: true},
		{Verb: "approve", Application: "shop", Target: "production", Deployment: id, Step: "production/canary/1",
			Reason: "sam may not approve for the application shop, target production"},
		{Verb: "approve", Application: "search", Target: "production", Deployment: id, Step: "production/canary/1",
			Allowed: true, Reason: "error rate is fine, ticket OPS-41"},
	} {
		e.At, e.By = time.Now(), sluice.Actor{Name: "ana", Via: "page", From: "10.1.2.3"}
		if err := w.store.Record(w.t.Context(), e); err != nil {
			w.t.Fatal(err)
		}
	}
}
