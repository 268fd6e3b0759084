package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// earlier is a release of a target with every kind of step on its way.
func earlier() sluice.Release {
	at := func(phase sluice.Phase, path string, spec sluice.StepSpec, after ...sluice.StepID) sluice.PlannedStep {
		return sluice.PlannedStep{
			ID: sluice.StepID("production/" + path), Target: "production", Phase: phase, After: after, StepSpec: spec,
		}
	}
	webhook := &sluice.RunWebhook{Name: "tell", Context: map[string]string{"team": "ops"}}
	p := &sluice.Plan{
		Application: "shop", Context: map[string]string{"pr": "118", "team": "web"},
		Targets: []sluice.PlannedTarget{
			{Name: "staging"},
			{Name: "production", Account: "here", Namespace: "shop", DependsOn: []string{"staging"}, AfterFailure: "rollBack"},
		},
		Steps: []sluice.PlannedStep{
			{ID: "staging/apply", Target: "staging", StepSpec: sluice.StepSpec{Apply: &sluice.Apply{}}},
			at(sluice.PhaseBefore, "before/0",
				sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{}}),
			at(sluice.PhaseBefore, "before/1", sluice.StepSpec{Kind: sluice.KindMigrateData,
				MigrateData: &sluice.MigrateData{}}),
			at(sluice.PhaseBefore, "before/2", sluice.StepSpec{Kind: sluice.KindRunWebhook, RunWebhook: webhook},
				"production/before/1"),
			at(sluice.PhaseApply, "apply", sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{}},
				"production/before/0", "production/before/2"),
			at(sluice.PhaseCanary, "canary/0", sluice.StepSpec{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{}},
				"production/apply"),
			at(sluice.PhaseCanary, "canary/1", sluice.StepSpec{Kind: sluice.KindAnalysis, Analysis: &sluice.Analysis{}},
				"production/canary/0"),
			at(sluice.PhasePromote, "promote", sluice.StepSpec{Kind: sluice.KindPromote, Promote: &sluice.Promote{}},
				"production/canary/1"),
			at(sluice.PhasePrune, "prune", sluice.StepSpec{Kind: sluice.KindPrune, Prune: &sluice.Prune{}},
				"production/promote"),
			at(sluice.PhaseAfter, "after/0", sluice.StepSpec{Kind: sluice.KindVerifyData, VerifyData: &sluice.VerifyData{}},
				"production/prune"),
			at(sluice.PhaseAfter, "after/1", sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{}},
				"production/after/0"),
			at(sluice.PhaseOnRollback, "onRollback/0",
				sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{}}),
		},
	}
	return sluice.Release{Deployment: "1", Target: "production", Plan: p}
}

func TestBackSkipsTheWayForward(t *testing.T) {
	gone := []sluice.Ref{{Kind: "ConfigMap", Name: "new"}}
	restore := &sluice.RestoreData{Dataset: "orders", Checkpoint: "c"}
	tests := map[string]struct {
		reason string
		back   Return
		gates  bool
		want   []string
	}{
		"Fast": {
			"the old version starts beside the current one and takes over",
			Return{}, false, []string{"apply", "promote < apply"},
		},
		"Gone": {
			"what later releases created is deleted at the end",
			Return{Gone: gone}, false, []string{"apply", "promote < apply", "prune < promote"},
		},
		"Data": {
			"data is put back before the old version starts",
			Return{Restore: restore}, false, []string{"before/restore", "apply < before/restore", "promote < apply"},
		},
		"Gates": {
			"gates and weights come again, data steps never do",
			Return{Restore: restore, Gone: gone}, true, []string{
				"before/restore", "before/2 < before/restore", "apply < before/2", "canary/0 < apply", "canary/1 < canary/0",
				"promote < canary/1", "after/1 < promote", "prune < promote",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.back.Release = earlier()
			var got []string
			for _, s := range Back([]Return{test.back}, BackOptions{Gates: test.gates}).Steps {
				line := path(s)
				for _, id := range s.After {
					line += " < " + strings.TrimPrefix(string(id), "production/")
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestBackKeepsWhatTheReleaseIs(t *testing.T) {
	was := earlier()
	before := fmt.Sprint(was.Plan.Steps[4].Apply, was.Plan.Steps[3].RunWebhook.Context)
	p := Back([]Return{{Release: was}}, BackOptions{Gates: true, Reason: "slow"})
	want := sluice.PlannedTarget{
		Name: "production", Account: "here", Namespace: "shop", AfterFailure: "rollBack", Release: "1", RollbackClass: "A",
		Irreversible: []string{`what the receiver of webhook "tell" does is not undone`},
	}
	if diff := cmp.Diff([]sluice.PlannedTarget{want}, p.Targets); diff != "" {
		t.Errorf("the target (-want +got):\n%s", diff)
	}
	webhook, _ := p.Step("production/before/2")
	if diff := cmp.Diff(map[string]string{"pr": "118", "team": "ops"}, webhook.RunWebhook.Context); diff != "" {
		t.Errorf("the context of its deployment goes with the webhook (-want +got):\n%s", diff)
	}
	fast := Back([]Return{{Release: was}}, BackOptions{})
	if apply, _ := fast.Step("production/apply"); !apply.Apply.Canary {
		t.Error("the old version does not start beside the current one")
	}
	if after := fmt.Sprint(was.Plan.Steps[4].Apply, was.Plan.Steps[3].RunWebhook.Context); after != before {
		t.Errorf("the release's own plan was changed: %s, before: %s", after, before)
	}
	if p.Digest == fast.Digest || p.Digest == "" {
		t.Errorf("the digests are %q and %q", p.Digest, fast.Digest)
	}
}
