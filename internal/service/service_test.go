package service_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/step"
)

var me = sluice.Actor{Name: "me", Via: "test"}

const file = `version: v1
kind: kubernetes
application: shop
deploymentConfig: {ifDeploymentInProgress: {strategy: enqueueOne}}
context: {release: "1"}
targets:
  staging: {account: there, namespace: staging, strategy: rolling}
manifests:
  - inline: |
      {apiVersion: v1, kind: ConfigMap, metadata: {name: shop}, data: {release: "1"}}
strategies:
  rolling: {canary: {steps: [{setWeight: {weight: 100}}]}}
`

func write(t *testing.T, text string) service.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "deploy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return service.Source{File: path}
}

func TestCompile(t *testing.T) {
	s := write(t, file)
	s.Context, s.Application = map[string]string{"release": "2", "pr": "118"}, "other"
	c, err := service.Compile(t.Context(), s, service.Surroundings{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Plan.Application != "other" || !c.Plan.Enqueue || len(c.Warnings) > 0 {
		t.Errorf("application %q, enqueue %v, warnings %v", c.Plan.Application, c.Plan.Enqueue, c.Warnings)
	}
	if diff := cmp.Diff(map[string]string{"release": "2", "pr": "118"}, c.Plan.Context); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestCompileReturnsAllFindingsAsItsError(t *testing.T) {
	s := write(t, file+"unknown: 1\nalso: 2\n")
	_, err := service.Compile(t.Context(), s, service.Surroundings{})
	ds, ok := errors.AsType[sluice.Diagnostics](err)
	if !ok || len(ds) != 2 {
		t.Fatalf("error %v, want two findings", err)
	}
	if got, err := service.Validate(t.Context(), s, service.Surroundings{}, true); err != nil || len(got) != 2 {
		t.Errorf("validate found %v, %v", got, err)
	}
	s.File = filepath.Join(t.TempDir(), "absent.yaml")
	if _, err := service.Compile(t.Context(), s, service.Surroundings{}); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("an absent file is %v", err)
	}
}

// approvals is a plan of one step that waits for a person.
func approvals(application, digest string) *sluice.Plan {
	return &sluice.Plan{
		Application: application, Digest: digest, Targets: []sluice.PlannedTarget{{Name: "staging"}},
		Steps: []sluice.PlannedStep{{
			ID: "staging/before/0", Target: "staging", Phase: sluice.PhaseBefore,
			StepSpec: sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true}},
		}},
	}
}

func newEngine(t *testing.T) (*engine.Engine, sluice.Store) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New(engine.Config{
		Store: store, Steps: step.New(step.Deps{}), Now: time.Now, Random: rand.Reader,
	})
	t.Cleanup(func() {
		if err := errors.Join(e.Stop(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return e, store
}

// approve waits until the deployment's step waits, and approves it.
func approve(ctx context.Context, e *engine.Engine, id sluice.DeploymentID) error {
	for u, err := range e.Watch(ctx, id, 0) {
		if err != nil {
			return err
		}
		if u.Event != nil && u.Event.Progress != nil && u.Event.Progress.Wait != nil {
			break
		}
	}
	return e.Signal(ctx, id, sluice.Signal{Kind: sluice.SignalApprove, Step: "staging/before/0", By: me})
}

// begin starts a deployment, or queues it if its plan says so.
func begin(t *testing.T, e *engine.Engine, p *sluice.Plan) sluice.DeploymentID {
	t.Helper()
	id, err := e.Start(t.Context(), p, me)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// queued is a plan that waits for its turn.
func queued(application, digest string) *sluice.Plan {
	p := approvals(application, digest)
	p.Enqueue = true
	return p
}

func TestUnendedPrefersTheOneThatRuns(t *testing.T) {
	ctx := t.Context()
	e, store := newEngine(t)
	first := begin(t, e, approvals("shop", "1"))
	second := begin(t, e, queued("shop", "2"))
	if d, found, err := service.Unended(ctx, store, "shop"); err != nil || !found || d.ID != first {
		t.Errorf("%v, found %v, %v; want %s, which runs", d.ID, found, err, first)
	}
	if err := approve(ctx, e, first); err != nil {
		t.Fatal(err)
	}
	if status, err := e.Wait(ctx, first); err != nil || status != sluice.StatusSucceeded {
		t.Fatal(status, err)
	}
	if d, found, err := service.Unended(ctx, store, "shop"); err != nil || !found || d.ID != second {
		t.Errorf("%v, found %v, %v; want %s, which is queued or runs", d.ID, found, err, second)
	}
}

// To resume a deployment that was overtaken would bring an older release over a newer one.
func TestAnOvertakenDeploymentIsNotResumed(t *testing.T) {
	ctx := t.Context()
	e, store := newEngine(t)
	begin(t, e, approvals("shop", "1"))
	older := begin(t, e, queued("shop", "2"))
	newer := begin(t, e, queued("shop", "3"))
	for digest, want := range map[string]sluice.Code{"1": "", "2": sluice.Conflict, "3": "", "4": ""} {
		err := service.CheckOvertaken(ctx, store, queued("shop", digest))
		if got := sluice.ErrorCode(err); got != want {
			t.Errorf("plan %s: %v, want %q", digest, err, want)
		}
		if want != "" && !strings.Contains(sluice.ErrorHint(err), "sluice status "+string(older)) {
			t.Errorf("plan %s: the hint is %q", digest, sluice.ErrorHint(err))
		}
	}
	if err := e.Signal(ctx, newer, sluice.Signal{Kind: sluice.SignalCancel, By: me}); err != nil {
		t.Fatal(err)
	}
	begin(t, e, queued("shop", "2")) // submitted again on purpose
	if err := service.CheckOvertaken(ctx, store, queued("shop", "2")); err != nil {
		t.Error(err)
	}
}

func TestBegunFindsTheSubmittedPlanOnly(t *testing.T) {
	ctx := t.Context()
	e, store := newEngine(t)
	since := time.Now()
	p := approvals("shop", "1")
	id, err := e.Start(ctx, p, me)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reason string
		plan   *sluice.Plan
		since  time.Time
		want   sluice.DeploymentID
	}{
		"same":    {"its answer was lost", p, since, id},
		"plan":    {"somebody else deploys something else", approvals("shop", "2"), since, ""},
		"other":   {"another application runs", approvals("blog", "1"), since, ""},
		"earlier": {"it began before it was submitted", p, time.Now().Add(time.Hour), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := service.Begun(ctx, store, c.plan, c.since); err != nil || got != c.want {
				t.Errorf("%s: found %q, %v, want %q", c.reason, got, err, c.want)
			}
		})
	}
}

func TestAccountOfANamespace(t *testing.T) {
	e, store := newEngine(t)
	p := approvals("shop", "1")
	p.Targets[0].Account, p.Targets[0].Namespace = "east", "shop"
	if _, err := e.Start(t.Context(), p, me); err != nil {
		t.Fatal(err)
	}
	for namespace, want := range map[string]string{"shop": "east", "blog": ""} {
		if got, err := service.AccountOf(t.Context(), store, namespace); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", namespace, got, err, want)
		}
	}
}

// Rights that a deployment goes on without are no error.
func TestOnlyNeededRightsAreDenied(t *testing.T) {
	needed := sluice.MissingRight{Account: "east", Right: sluice.Right{Verb: "get", Resource: "pods"}}
	dispensable := sluice.MissingRight{Account: "east", Right: sluice.Right{Verb: "get", Resource: "pods/log",
		Dispensable: true}}
	if err := service.Denied([]sluice.MissingRight{dispensable}); err != nil {
		t.Errorf("without a dispensable right: %v", err)
	}
	err := service.Denied([]sluice.MissingRight{dispensable, needed})
	if sluice.ErrorCode(err) != sluice.Denied || !strings.Contains(err.Error(), "1 right is missing") {
		t.Errorf("without a right that is needed: %v", err)
	}
}

func TestPreviewShowsWhatItCan(t *testing.T) {
	p := approvals("shop", "1")
	p.Targets[0].Account = "here"
	p.Targets = append(p.Targets, sluice.PlannedTarget{Name: "production", Account: "there"})
	away := p.Steps[0]
	away.ID, away.Target = "production/before/0", "production"
	away.StepSpec = sluice.StepSpec{Kind: sluice.KindExposeServices, ExposeServices: &sluice.ExposeServices{}}
	p.Steps = append(p.Steps, away)
	accounts := map[string]sluice.Account{"here": {}} // has no rights to review
	out, warning, err := service.Preview(t.Context(), p, step.New(step.Deps{}), accounts)
	if warning != nil || err != nil {
		t.Fatal(warning, err)
	}
	shown := out.Shown()
	if len(shown["staging/before/0"].Notes) != 1 || len(out.Previews) != 1 {
		t.Errorf("previews %v, want that of staging", out.Previews)
	}
	want := []string{`refused: production/before/0: there is no account "there"`}
	if diff := cmp.Diff(want, shown["production/before/0"].Notes); diff != "" {
		t.Errorf("production (-want +got):\n%s", diff)
	}
	if err := out.Fault(); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("the plan has the fault %v", err)
	}
}

// A step that cannot count what it would take away.
type uncounted struct {
	sluice.Step
	err error
}

func (u uncounted) CountLoss(context.Context) (service.Loss, error) { return service.Loss{}, u.err }

func (u uncounted) New(sluice.StepContext) (sluice.Step, error) { return u, nil }

func TestACheckpointThatCannotBePutBackIsNoUnknownLoss(t *testing.T) {
	p := &sluice.Plan{Targets: []sluice.PlannedTarget{{Name: "staging"}}, Steps: []sluice.PlannedStep{{
		ID: "staging/before/restore", Target: "staging", StepSpec: sluice.StepSpec{RestoreData: &sluice.RestoreData{}},
	}}}
	masked := uncounted{err: sluice.Errorf(sluice.Invalid, "it is masked")}
	if _, err := service.Losses(t.Context(), p, masked); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("a masked checkpoint: %v, want that it is refused", err)
	}
	broken := uncounted{err: sluice.Errorf(sluice.Unavailable, "it does not open")}
	losses, err := service.Losses(t.Context(), p, broken)
	if err != nil || losses["staging"].Unknown == "" {
		t.Errorf("a database that does not open: %v, %v, want an unknown loss", losses, err)
	}
}

func TestIrreversible(t *testing.T) {
	p := &sluice.Plan{Targets: []sluice.PlannedTarget{
		{Name: "staging"}, {Name: "production", Irreversible: []string{"a Job runs", "data moves"}},
	}}
	want := []string{"production: a Job runs", "production: data moves"}
	if diff := cmp.Diff(want, service.Irreversible(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAccountsHaveToBeConfigured(t *testing.T) {
	e, store := newEngine(t)
	p := approvals("shop", "1")
	p.Targets[0].Account = "east"
	if _, err := e.Start(t.Context(), p, me); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Accounts: map[string]config.Account{"east": {}}}
	if err := service.CheckUnended(t.Context(), store, c); err != nil {
		t.Errorf("with the account: %v", err)
	}
	c.Accounts = map[string]config.Account{"west": {}}
	err := service.CheckUnended(t.Context(), store, c)
	if sluice.ErrorCode(err) != sluice.Invalid || sluice.ErrorHint(err) == "" {
		t.Errorf("without the account: %v", err)
	}
	p.Rehearsal = &sluice.Rehearsal{} // uses accounts of its own
	e, store = newEngine(t)
	if _, err := e.Start(t.Context(), p, me); err != nil {
		t.Fatal(err)
	}
	if err := service.CheckUnended(t.Context(), store, c); err != nil {
		t.Errorf("a rehearsal: %v", err)
	}
}
