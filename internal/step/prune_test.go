package step_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func pruning(refs ...sluice.Ref) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindPrune, Prune: &sluice.Prune{Objects: refs}}
}

func TestPrune(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		b := newBench(configMap("old", "1"), workload("Deployment", "old", "old:1"), configMap("new", "1"))
		gone := []sluice.Ref{ref("v1", "ConfigMap", "old"), ref("v1", "ConfigMap", "never"),
			ref("apps/v1", "Deployment", "old")}
		return b.add("prune", pruning(gone...)).world("prune")
	})
}

// A Job that is over would run again: it stays away, and nobody waits for it.
func TestPruneIsUndoneWithoutJobs(t *testing.T) {
	job := object("batch/v1", "Job", "migrate", map[string]any{
		"spec": map[string]any{"template": podTemplate("migrate", "migrate:1")},
	})
	b := newBench(job, configMap("old", "1"))
	b.add("prune", pruning(job.Ref(), ref("v1", "ConfigMap", "old")))
	p := b.mustRun(t, "prune")
	if err := b.must(t, "prune").Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if b.get(t, job.Ref()) != nil || b.get(t, ref("v1", "ConfigMap", "old")) == nil {
		t.Errorf("after undo:\n%s", b.account.Snapshot())
	}
}

// What somebody else applies by now is not deleted.
func TestPruneLeavesWhatIsNotOurs(t *testing.T) {
	theirs := configMap("theirs", "1")
	theirs.Set([]any{map[string]any{"manager": "helm", "operation": "Update"}}, "metadata", "managedFields")
	ours := configMap("ours", "1")
	ours.Set([]any{map[string]any{"manager": "helm", "operation": "Update"},
		map[string]any{"manager": "sluice", "operation": "Apply"}}, "metadata", "managedFields")
	b := newBench(theirs, ours).add("prune", pruning(theirs.Ref(), ours.Ref()))
	p := b.mustRun(t, "prune")
	want := []sluice.Change{{Object: "ConfigMap/ours", Outcome: sluice.Deleted}}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Errorf("prune (-want +got):\n%s", diff)
	}
	if !strings.Contains(b.account.Snapshot(), "theirs") {
		t.Error("what helm applied is gone")
	}
}
