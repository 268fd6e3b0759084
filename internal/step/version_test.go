package step_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSameVersionAgainChangesNothing(t *testing.T) {
	b := newBench().add("apply", applying(true, release("1")...)).add("promote", promoting())
	b.mustRun(t, "apply")
	was := b.account.Snapshot()
	if p := b.mustRun(t, "apply"); len(p.Changes) > 0 {
		t.Errorf("it reports %v", p.Changes)
	}
	b.mustRun(t, "promote")
	if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

// Pods whose version does not change keep the delivery that brought them, so that nothing restarts.
func TestUnchangedPodsKeepTheirDelivery(t *testing.T) {
	b := newBench()
	b.add("install", applying(true, release("1")...))
	b.mustRun(t, "install")
	was := b.get(t, web)
	b.id = "another"
	if preview, err := b.must(t, "install").Check(t.Context()); err != nil || len(preview.Changes) > 0 {
		t.Errorf("the same release again changes %v (%v)", preview.Changes, err)
	}
	scaled := release("1")
	scaled[4].Set(int64(5), "spec", "replicas")
	b.plan.Steps = nil
	b.add("apply", applying(true, scaled...))
	b.mustRun(t, "apply")
	now := b.get(t, web)
	if now.Number(0, "spec", "replicas") != 5 || b.get(t, webCanary) != nil {
		t.Errorf("a change of size alone made it %v", now)
	}
	if diff := cmp.Diff(was.Field("spec", "template"), now.Field("spec", "template")); diff != "" {
		t.Errorf("its pods changed: %s", diff)
	}
	const stamp = "deploy.armory.io/deployment-id"
	if got := now.Text("spec", "template", "metadata", "annotations", stamp); got != "d0" {
		t.Errorf("its pods belong to %q", got)
	}
}

func TestConfigurationAloneIsAChangeOfVersion(t *testing.T) {
	b := installed(t)
	objects := release("1")
	objects[1] = configMap("web", "new")
	b.plan.Steps[0].Apply.Objects = objects
	b.mustRun(t, "apply")
	if b.get(t, webCanary) == nil {
		t.Fatal("there is no canary")
	}
	b.mustRun(t, "promote")
	if b.get(t, webConfig).Text("data", "KEY") != "new" {
		t.Error("the configuration was not promoted")
	}
}

func TestSharedConfigurationIsAppliedAtOnce(t *testing.T) {
	b := installed(t)
	b.plan.Steps[0].Apply.Objects[3] = workload("StatefulSet", "db", "db:2", fromConfigMap("web"))
	b.mustRun(t, "apply")
	if b.get(t, webConfig).Text("data", "KEY") != "2" {
		t.Error("the StatefulSet's configuration was kept back")
	}
}

// A Job does not wait for promotion.
func TestConfigurationOfAJobIsAppliedAtOnce(t *testing.T) {
	b := installed(t)
	objects := &b.plan.Steps[0].Apply.Objects
	*objects = append(*objects, object("batch/v1", "Job", "migrate",
		map[string]any{"spec": map[string]any{"template": podTemplate("migrate", "migrate:2", fromConfigMap("web"))}}))
	b.mustRun(t, "apply")
	if b.get(t, webConfig).Text("data", "KEY") != "2" {
		t.Error("the Job's configuration was kept back")
	}
}
