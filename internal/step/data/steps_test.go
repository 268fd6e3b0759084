package data_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
)

type secrets map[string]string

func (s secrets) Secret(_ context.Context, name string) (string, error) { return s[name], nil }

// reversing seals by writing backwards.
type reversing struct{}

func (reversing) Seal(s string) (string, error) {
	r := []rune(s)
	slices.Reverse(r)
	return "~" + string(r), nil
}

func (r reversing) Open(s string) (string, error) {
	backwards, ok := strings.CutPrefix(s, "~")
	if !ok {
		return "", sluice.Errorf(sluice.Denied, "not sealed")
	}
	plain, err := r.Seal(backwards)
	return plain[1:], err
}

func (w *world) deps() step.Deps {
	return step.Deps{
		Accounts: map[string]sluice.Account{"local": w.abilities()}, Movers: w.movers(),
		Databases: map[string]sluice.Databases{"mongodb": fakeDatabases{w}}, Beside: fakeBeside{w}, Catalogue: w,
		MaskKey: []byte("mask key"), Secrets: secrets{"password": "sesame"}, Sealer: reversing{},
		Now: func() time.Time { return w.now },
	}
}

// deploy puts a database with its surroundings and these documents into a namespace.
func (w *world) deploy(namespace, image string, content documents) {
	put := func(o sluice.Object) {
		o.Set(namespace, "metadata", "namespace")
		if _, _, err := w.Apply(w.t.Context(), o, false); err != nil {
			w.t.Fatal(err)
		}
	}
	own := sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: namespace}
	w.objects[own] = sluice.Object{"apiVersion": "v1", "kind": "Namespace"}
	put(sluice.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": "mongo-data"},
		"spec": map[string]any{"accessModes": []any{"ReadWriteOnce"}},
	})
	put(sluice.Object{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "mongo"},
		"spec": map[string]any{"clusterIP": "10.0.0.1", "ports": []any{map[string]any{"port": int64(27017)}}}})
	put(sluice.Object{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "login"},
		"data": map[string]any{"password": "c2VzYW1l"},
	})
	secret := map[string]any{"secretKeyRef": map[string]any{"name": "login", "key": "password"}}
	database := map[string]any{
		"name": "mongo", "image": image, "env": []any{map[string]any{"name": "P", "valueFrom": secret}},
	}
	set := sluice.Object{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mongo"}}
	set.Set(int64(1), "spec", "replicas")
	set.Set("Delete", "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
	set.Set("Retain", "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled")
	set.Set([]any{database}, "spec", "template", "spec", "containers")
	put(set)
	c := w.volume(namespace, "mongo-data")
	c.generations[c.current] = content
}

// live returns the documents that users of the namespace see.
func (w *world) live(namespace string) documents {
	c := w.volumes[namespace+"/mongo-data"]
	return c.generations[c.current]
}

var orders = sluice.Dataset{
	Name: "orders", Engine: "mongodb", Workload: "StatefulSet/mongo", Claims: []string{"mongo-data"},
	URI:        "mongodb://shop:{{secrets.password}}@mongo.prod:27017/shop",
	Invariants: []sluice.Invariant{{Name: "none lost", Count: "orders", AtLeast: &sluice.Bound{Baseline: true}}},
}

func (w *world) step(
	deployment sluice.DeploymentID, target string, spec sluice.StepSpec, results map[sluice.StepID]sluice.Result,
) sluice.Step {
	w.t.Helper()
	s, err := step.New(w.deps()).New(w.context(deployment, target, spec, results))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) context(
	deployment sluice.DeploymentID, target string, spec sluice.StepSpec, results map[sluice.StepID]sluice.Result,
) sluice.StepContext {
	return sluice.StepContext{
		Deployment: deployment, Plan: &sluice.Plan{Application: "shop", Steps: w.plan}, Results: results,
		Target: sluice.PlannedTarget{Name: target, Account: "local", Namespace: target},
		Step:   sluice.PlannedStep{ID: sluice.StepID(target + "/before/1"), Target: target, StepSpec: spec},
	}
}

func checkpointing(keep int) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{
		Dataset: "orders", Keep: keep, Spec: orders,
	}}
}

// quiescing locks the database while it is cut.
func quiescing() sluice.StepSpec {
	spec := checkpointing(0)
	spec.CheckpointData.Spec.Quiesce = byCommands()
	return spec
}

// stopping stops the database while it is cut.
func stopping() sluice.StepSpec {
	spec := checkpointing(1)
	spec.CheckpointData.Spec.Quiesce.Mode = "stop"
	return spec
}

func byCommands() sluice.Quiesce {
	return sluice.Quiesce{Mode: "commands", Before: [][]string{{"lock"}}, After: [][]string{{"unlock"}}}
}

func migrating() sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindMigrateData, MigrateData: &sluice.MigrateData{
		Dataset: "orders", From: "prod", Spec: orders,
		Source: &sluice.Target{Name: "prod", Account: "local", Namespace: "prod"},
	}}
}

func maskedMigrating() sluice.StepSpec {
	spec := migrating()
	spec.MigrateData.Mask = sluice.Mask{"orders.value": "hash", "orders.kept": "keep"}
	return spec
}

func verifying(mode string, ignore ...string) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindVerifyData, VerifyData: &sluice.VerifyData{
		Dataset: "orders", Baseline: "checkpoint", Mode: mode, Ignore: ignore, Spec: orders, From: "prod/before/0",
	}}
}

func restoring(allow *sluice.AllowDataLoss) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{
		Dataset: "orders", AllowDataLoss: allow, Spec: orders, From: "prod/before/0",
	}}
}

func abc() documents { return documents{"a": "1", "b": "2", "c": "3"} }

// begin runs Check and Start as the engine does.
func begin(t *testing.T, s sluice.Step) (sluice.Progress, error) {
	t.Helper()
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	err = drive(t.Context(), s, &p)
	return p, err
}

// drive starts a step and observes it while it has more to do. p is what an engine would have recorded: it stays as
// it was when the last call that returned without an error left it, but for the evidence of one that failed.
func drive(ctx context.Context, s sluice.Step, p *sluice.Progress) error {
	for {
		call := s.Start
		if p.State == sluice.Running {
			call = s.Observe
		}
		out, err := call(ctx, *p)
		if err != nil {
			p.Result = out.Result
			return err
		}
		*p = out
		if p.State != sluice.Running {
			return nil
		}
	}
}

func must(t *testing.T, s sluice.Step) sluice.Progress {
	t.Helper()
	p, err := begin(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if p.State != sluice.Done {
		t.Fatalf("the step is %s: %s", p.State, p.Message)
	}
	return p
}

// checkpointed returns a world whose prod has a checkpoint of abc made by the step prod/before/0.
func checkpointed(t *testing.T) (*world, map[sluice.StepID]sluice.Result) {
	return checkpointedAs(t, orders.Engine)
}

func checkpointedAs(t *testing.T, engine string) (*world, map[sluice.StepID]sluice.Result) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	spec := checkpointing(0)
	spec.CheckpointData.Spec.Engine = engine
	p := must(t, w.step("d1", "prod", spec, nil))
	w.now = w.now.Add(time.Minute)
	return w, map[sluice.StepID]sluice.Result{"prod/before/0": *p.Result}
}
