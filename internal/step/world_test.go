package step_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
	"github.com/sluice-cd/sluice/internal/steptest"
)

const (
	deployment = sluice.DeploymentID("d1")
	namespace  = "prod"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// plainSealer hides values well enough to be told from plain ones.
type plainSealer struct{}

func (plainSealer) Seal(s string) (string, error) { return "<" + s + ">", nil }
func (plainSealer) Open(s string) (string, error) {
	return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">"), nil
}

type mapSecrets map[string]string

func (m mapSecrets) Secret(_ context.Context, name string) (string, error) {
	if v, ok := m[name]; ok {
		return v, nil
	}
	return "", sluice.Errorf(sluice.NotFound, "there is no secret %q", name)
}

// A bench is an account and the steps that act on it, at a time that the test sets.
type bench struct {
	account *steptest.Account
	id      sluice.DeploymentID // "": deployment; the step "install" belongs to an earlier one
	deps    step.Deps
	now     time.Time
	plan    *sluice.Plan
	results map[sluice.StepID]sluice.Result

	dependsOn []string // other targets
	tolerates sluice.Tolerance
}

func newBench(objects ...sluice.Object) *bench {
	b := &bench{account: steptest.NewAccount(objects...), now: noon,
		plan:    &sluice.Plan{Application: "shop", Context: map[string]string{"color": "blue"}},
		results: map[sluice.StepID]sluice.Result{}}
	b.deps = step.Deps{
		Accounts: map[string]sluice.Account{"cluster": b.account.Abilities()},
		Secrets:  mapSecrets{"token": "s3cret"},
		Sealer:   plainSealer{},
		Now:      func() time.Time { return b.now },
	}
	return b
}

// add puts a step of the target production into the plan.
func (b *bench) add(id string, s sluice.StepSpec) *bench {
	phase, _, _ := strings.Cut(id, "/")
	b.plan.Steps = append(b.plan.Steps, sluice.PlannedStep{ID: sluice.StepID("production/" + id), Target: "production",
		Phase: sluice.Phase(phase), StepSpec: s})
	return b
}

func (b *bench) new(id string) (sluice.Step, error) { return step.New(b.deps).New(b.context(id)) }

func (b *bench) context(id string) sluice.StepContext {
	planned, ok := b.plan.Step(sluice.StepID("production/" + id))
	if !ok {
		panic("no step " + id)
	}
	of := cmp.Or(b.id, deployment)
	if id == "install" {
		of = "d0"
	}
	return sluice.StepContext{
		Deployment: of, StartedAt: noon, Plan: b.plan, Step: planned, Results: b.results,
		Target: sluice.PlannedTarget{Name: "production", Account: "cluster", Namespace: namespace,
			DependsOn: b.dependsOn, MaxUnready: b.tolerates},
	}
}

func (b *bench) must(t *testing.T, id string) sluice.Step {
	t.Helper()
	s, err := b.new(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run takes the step from check to done, and returns what the engine would have recorded.
func (b *bench) run(t *testing.T, id string) (sluice.Progress, error) {
	t.Helper()
	s := b.must(t, id)
	preview, err := s.Check(t.Context())
	if err != nil {
		return sluice.Progress{}, err
	}
	p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
	for err == nil && p.State == sluice.Running {
		p, err = b.must(t, id).Observe(t.Context(), p)
	}
	p.Snapshot = preview.Snapshot
	if err == nil && p.Result != nil {
		b.results[sluice.StepID("production/"+id)] = *p.Result
	}
	return p, err
}

func (b *bench) mustRun(t *testing.T, id string) sluice.Progress {
	t.Helper()
	p, err := b.run(t, id)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return p
}

// world is the step as the conformance suite wants it.
func (b *bench) world(id string) steptest.World {
	return steptest.World{
		New:      func() (sluice.Step, error) { return b.new(id) },
		Snapshot: b.account.Snapshot,
		Crash:    b.account.Crash,
	}
}

func ref(apiVersion, kind, name string) sluice.Ref {
	return sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

func object(apiVersion, kind, name string, fields map[string]any) sluice.Object {
	o := sluice.Object{"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": namespace}}
	for k, v := range fields {
		o[k] = v
	}
	return o.Clone()
}

func podTemplate(app, image string, env ...any) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"app": app}},
		"spec": map[string]any{"containers": []any{map[string]any{
			"name": app, "image": image, "envFrom": env,
		}}},
	}
}

func fromConfigMap(name string) any {
	return map[string]any{"configMapRef": map[string]any{"name": name}}
}

func workload(kind, name, image string, env ...any) sluice.Object {
	return object("apps/v1", kind, name, map[string]any{"spec": map[string]any{
		"replicas": 3,
		"selector": map[string]any{"matchLabels": map[string]any{"app": name}},
		"template": podTemplate(name, image, env...),
	}})
}

func service(name string) sluice.Object {
	return object("v1", "Service", name, map[string]any{"spec": map[string]any{
		"selector": map[string]any{"app": name}, "ports": []any{map[string]any{"port": 80}},
	}})
}

func configMap(name, value string) sluice.Object {
	return object("v1", "ConfigMap", name, map[string]any{"data": map[string]any{"KEY": value}})
}

// release is the shop in one version.
func release(version string) []sluice.Object {
	return []sluice.Object{
		object("v1", "Secret", "db-login", map[string]any{"data": map[string]any{"password": "cGFzcw==" + version}}),
		configMap("web", version),
		service("web"),
		workload("StatefulSet", "db", "db:"+version),
		workload("Deployment", "web", "web:"+version, fromConfigMap("web")),
	}
}

func applying(canary bool, objects ...sluice.Object) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindApply,
		Apply: &sluice.Apply{Objects: objects, Canary: canary, Timeout: time.Minute}}
}

func weight(n int) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: n}}
}

func promoting() sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindPromote, Promote: &sluice.Promote{Timeout: time.Minute}}
}

// installed is a bench on which version 1 of the shop runs, put there by apply, and whose plan brings version 2.
func installed(t *testing.T) *bench {
	t.Helper()
	b := newBench()
	b.add("install", applying(true, release("1")...))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	return b.add("apply", applying(true, release("2")...)).
		add("canary/0", weight(10)).add("canary/1", weight(50)).add("promote", promoting())
}

var (
	web       = ref("apps/v1", "Deployment", "web")
	webCanary = ref("apps/v1", "Deployment", "web-canary")
	webConfig = ref("v1", "ConfigMap", "web")
)

func (b *bench) get(t *testing.T, r sluice.Ref) sluice.Object {
	t.Helper()
	o, err := b.account.Get(t.Context(), r)
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		t.Fatal(err)
	}
	return o
}

func imageIn(o sluice.Object) string {
	containers, _ := o.Field("spec", "template", "spec", "containers").([]any)
	if len(containers) == 0 {
		return ""
	}
	return fmt.Sprint(containers[0].(map[string]any)["image"])
}

// serving returns how many ready pods get traffic, at the least: where weights divide it, each side must bear it.
func (b *bench) serving() int {
	stable, canary := b.account.Serving(namespace, "web")
	if w := b.account.Weight(namespace, "web"); w > 0 && w < 100 && b.account.Weighs(nil) {
		return min(stable, canary)
	}
	return stable + canary
}
