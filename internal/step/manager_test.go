package step_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// ownedBy returns the ConfigMap as the managers own it.
func ownedBy(name, value string, managers ...string) sluice.Object {
	o := configMap(name, value)
	var list []any
	for _, m := range managers {
		list = append(list, map[string]any{"manager": m})
	}
	o.Set(list, "metadata", "managedFields")
	return o
}

// managers returns who owns fields of the object.
func (b *bench) managers(t *testing.T, o sluice.Object) []string {
	t.Helper()
	var all []string
	for _, e := range b.get(t, o.Ref()).List("metadata", "managedFields") {
		all = append(all, e.Text("manager"))
	}
	return all
}

// All objects with fields of others are named at once, with the flag that takes all of them over.
func TestConflictsAreNamedTogether(t *testing.T) {
	b := newBench(ownedBy("a", "hot", "kubectl-set"), ownedBy("b", "hot", "argocd-controller"))
	b.add("apply", applying(false, configMap("a", "1"), configMap("b", "1"), configMap("c", "1")))
	_, err := b.run(t, "apply")
	for _, want := range []string{"ConfigMap/a", `"kubectl-set"`, "ConfigMap/b", `"argocd-controller"`} {
		if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	if b.get(t, configMap("c", "").Ref()) != nil {
		t.Error("something was written")
	}
}

// What is taken over is shown before, and undo gives value and owner back.
func TestTakenOverAndGivenBack(t *testing.T) {
	b := newBench(ownedBy("a", "hot", "argocd-controller"))
	was := b.account.Snapshot()
	b.plan.TakeOver = []string{"argocd-controller"}
	b.add("apply", applying(false, configMap("a", "1")))
	preview, err := b.must(t, "apply").Check(t.Context())
	if want := "ConfigMap/a: takes over from argocd-controller: .data.KEY"; err != nil ||
		!slices.Contains(preview.Notes, want) {
		t.Errorf("the notes are %v, %v; want %s", preview.Notes, err, want)
	}
	p := b.mustRun(t, "apply")
	if got := b.managers(t, configMap("a", "")); !slices.Equal(got, []string{"sluice:shop"}) {
		t.Errorf("it belongs to %v", got)
	}
	if err := b.must(t, "apply").Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := b.managers(t, configMap("a", "")); !slices.Equal(got, []string{"argocd-controller"}) {
		t.Errorf("after undo it belongs to %v", got)
	}
	if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
		t.Errorf("after undo (-want +got):\n%s", diff)
	}
}

// A person's command and the manifest say the same: the manifest decides from then on. A controller keeps its share.
func TestEqualValuesAreAdopted(t *testing.T) {
	b := newBench(ownedBy("a", "1", "kubectl-set"), ownedBy("b", "1", "argocd-controller"))
	b.add("apply", applying(false, configMap("a", "1"), configMap("b", "1")))
	b.mustRun(t, "apply")
	if got := b.managers(t, configMap("a", "")); !slices.Equal(got, []string{"sluice:shop"}) {
		t.Errorf("the person's object belongs to %v", got)
	}
	if got := b.managers(t, configMap("b", "")); !slices.Equal(got, []string{"argocd-controller", "sluice:shop"}) {
		t.Errorf("the controller's object belongs to %v", got)
	}
	b.plan.Steps = nil
	b.add("next", applying(false, configMap("a", "2")))
	b.mustRun(t, "next")
}

// An object of another application can be brought with the same values. It is never changed, and never deleted by undo
// or prune.
func TestObjectsOfAnotherApplication(t *testing.T) {
	b := newBench()
	b.add("apply", applying(false, configMap("a", "1")))
	shops := b.mustRun(t, "apply")
	b.plan.Application = "blog"
	preview, err := b.must(t, "apply").Check(t.Context())
	want := "ConfigMap/a belongs to application shop too, which has the same values"
	if err != nil || !slices.Contains(preview.Notes, want) {
		t.Errorf("the notes are %v, %v", preview.Notes, err)
	}
	b.mustRun(t, "apply")
	b.plan.Steps = nil
	b.add("change", applying(false, configMap("a", "2")))
	if _, err := b.run(t, "change"); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("the error is %v", err)
	}
	b.add("prune", pruning(configMap("a", "").Ref()))
	if p := b.mustRun(t, "prune"); len(p.Changes) > 0 {
		t.Errorf("prune changes %v", p.Changes)
	}
	b.plan.Application, b.plan.Steps = "shop", nil
	b.add("apply", applying(false, configMap("a", "1")))
	if err := b.must(t, "apply").Undo(t.Context(), shops); sluice.ErrorCode(err) != sluice.Conflict ||
		!strings.Contains(err.Error(), "application blog") {
		t.Errorf("undo: %v", err)
	}
	if b.get(t, configMap("a", "").Ref()) == nil {
		t.Error("undo deleted what another application brings")
	}
}
