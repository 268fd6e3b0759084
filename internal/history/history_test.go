package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A deployed is what one deployment did, oldest first in a test.
type deployed struct {
	content string            // of the objects; "" where it applies none
	targets string            // those it deploys to
	ends    map[string]string // by target: failed (kept), undone, stuck (could not be undone), never; default: succeeded
	returns string            // by target=deployment
	account string
}

func TestWhatATargetRunsAndRanBefore(t *testing.T) {
	const both = "staging production"
	tests := map[string]struct {
		reason string
		past   []deployed
		want   map[string]string // the releases by target, newest first
	}{
		"Everywhere": {
			"each deployment is a release of each of its targets",
			[]deployed{{content: "a", targets: both}, {content: "b", targets: both}},
			map[string]string{"staging": "1 0", "production": "1 0"},
		},
		"Partial": {
			"a target that a deployment leaves out keeps its release",
			[]deployed{{content: "a", targets: both}, {content: "b", targets: "staging"}, {content: "c", targets: both}},
			map[string]string{"staging": "2 1 0", "production": "2 0"},
		},
		"Returned": {
			"what lies between a rollback and the release it returns to is over",
			[]deployed{
				{content: "a", targets: both}, {content: "b", targets: "staging"}, {content: "c", targets: both},
				{content: "b", targets: both, returns: "staging=1 production=0"},
			},
			map[string]string{"staging": "1 0", "production": "0"},
		},
		"ReturnedTwice": {
			"a second rollback goes on from where the first one ended",
			[]deployed{
				{content: "a", targets: both}, {content: "b", targets: both}, {content: "c", targets: both},
				{content: "b", targets: both, returns: "staging=1 production=1"},
				{content: "a", targets: both, returns: "staging=0"},
			},
			map[string]string{"staging": "0", "production": "4 1 0"},
		},
		"AfterAReturn": {
			"a release after a rollback follows the one that was returned to",
			[]deployed{
				{content: "a", targets: both}, {content: "b", targets: both},
				{content: "a", targets: both, returns: "staging=0 production=0"}, {content: "c", targets: both},
			},
			map[string]string{"staging": "3 0", "production": "3 0"},
		},
		"ReturnedPastAReturn": {
			"a rollback may return to what was itself returned to",
			[]deployed{
				{content: "a", targets: "staging"}, {content: "b", targets: "staging"},
				{content: "a", targets: "staging", returns: "staging=0"}, {content: "c", targets: "staging"},
				{content: "a", targets: "staging", returns: "staging=0"},
			},
			map[string]string{"staging": "0"},
		},
		"DataOnly": {
			"a deployment that applies nothing is no release",
			[]deployed{
				{content: "a", targets: both}, {targets: "staging"}, {content: "b", targets: both}, {targets: "production"},
			},
			map[string]string{"staging": "2 0", "production": "2 0"},
		},
		"Undone": {
			"what was undone or never begun was never run; what a failed check kept is run",
			[]deployed{
				{content: "a", targets: both},
				{content: "b", targets: both, ends: map[string]string{"staging": "failed", "production": "never"}},
				{content: "c", targets: both, ends: map[string]string{"staging": "undone", "production": "stuck"}},
			},
			map[string]string{"staging": "1 0", "production": "2 0"},
		},
		"Repeated": {
			"the same objects again are no other release",
			[]deployed{{content: "a", targets: both}, {content: "b", targets: both}, {content: "b", targets: both}},
			map[string]string{"staging": "2 0", "production": "2 0"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := historyOf(test.past)
			for target, want := range test.want {
				var ids []string
				for _, r := range h.Target(target) {
					ids = append(ids, string(r.Deployment))
				}
				if diff := cmp.Diff(want, strings.Join(ids, " ")); diff != "" {
					t.Errorf("%s: %s (-want +got):\n%s", test.reason, target, diff)
				}
			}
		})
	}
}

func TestARollbackIsKnownByWhatItBrought(t *testing.T) {
	h := historyOf([]deployed{
		{content: "a", targets: "staging"}, {content: "b", targets: "staging"},
		{content: "a", targets: "staging", returns: "staging=0"},
	})
	now, ok := h.Current("staging")
	if !ok || now.Deployment != "0" || now.By != "2" {
		t.Errorf("staging runs %s brought by %s, want 0 brought by 2", now.Deployment, now.By)
	}
	if id, targets := h.Latest(); id != "2" || len(targets) != 1 {
		t.Errorf("the latest is %s in %v, want 2 in staging", id, targets)
	}
}

func TestARollbackThatFailedInATargetIsRepeatedThere(t *testing.T) {
	const both = "staging production"
	h := historyOf([]deployed{
		{content: "a", targets: both}, {content: "b", targets: both}, {content: "c", targets: both},
		{
			content: "b", targets: both, returns: "staging=1 production=1", ends: map[string]string{"production": "undone"},
		},
	})
	if id, targets := h.Latest(); id != "3" || len(targets) != 1 || targets[0] != "production" {
		t.Errorf("the latest is %s in %v, want 3 in production", id, targets)
	}
	if before, _ := h.Before("production"); before.Deployment != "1" {
		t.Errorf("production goes back to %s, want 1", before.Deployment)
	}
}

func TestATargetThatMovedHasNothingToGoBackTo(t *testing.T) {
	h := historyOf([]deployed{
		{content: "a", targets: "staging", account: "old"}, {content: "b", targets: "staging", account: "new"},
	})
	if before, ok := h.Before("staging"); ok {
		t.Errorf("it goes back to %s, which is in another account", before.Deployment)
	}
}

func TestGoneIsWhatLaterReleasesCreated(t *testing.T) {
	h := historyOf([]deployed{
		{content: "a", targets: "staging"}, {content: "b", targets: "staging"}, {content: "c", targets: "staging"},
	})
	want := []sluice.Ref{configMap("only-c").Ref(), configMap("only-b").Ref()}
	first := h.Target("staging")[2]
	if diff := cmp.Diff(want, h.Gone(first)); diff != "" {
		t.Errorf("deleted with a return to the first release (-want +got):\n%s", diff)
	}
}

func TestOfObjectsWithOneNameAllMustBeNew(t *testing.T) {
	in := func(namespace string) sluice.Ref {
		return sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "shop"}
	}
	made := sluice.Change{Object: "ConfigMap/shop", Outcome: sluice.Created}
	both := []sluice.Ref{in("old"), in("new")}
	if got := created(both, []sluice.Change{made}); len(got) > 0 {
		t.Errorf("one of two was made, and %v count as made", got)
	}
	if got := created(both, []sluice.Change{made, made}); len(got) != 2 {
		t.Errorf("both were made, and %v count as made", got)
	}
}

func historyOf(past []deployed) *History {
	h := &History{}
	for i := len(past) - 1; i >= 0; i-- {
		h.Add(past[i].state(i))
	}
	return h
}

// state folds the events that such a deployment records.
func (d deployed) state(n int) *engine.State {
	p := &sluice.Plan{Application: "shop", Digest: fmt.Sprint(n)}
	returns := map[string]sluice.DeploymentID{}
	for _, pair := range strings.Fields(d.returns) {
		target, id, _ := strings.Cut(pair, "=")
		returns[target] = sluice.DeploymentID(id)
	}
	for _, name := range strings.Fields(d.targets) {
		p.Targets = append(p.Targets, sluice.PlannedTarget{
			Name: name, Account: d.account, AfterFailure: "keep", Release: returns[name],
		})
		step := sluice.PlannedStep{ID: sluice.StepID(name + "/apply"), Target: name, Phase: sluice.PhaseApply}
		if d.content != "" {
			objects := []sluice.Object{configMap("shop", d.content), configMap("only-" + d.content)}
			step.Apply = &sluice.Apply{Objects: objects}
		}
		check := sluice.PlannedStep{
			ID: sluice.StepID(name + "/after/0"), Target: name, Phase: sluice.PhaseAfter, After: []sluice.StepID{step.ID},
		}
		p.Steps = append(p.Steps, step, check)
	}
	s := &engine.State{ID: sluice.DeploymentID(fmt.Sprint(n))}
	begin := time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC)
	s.Apply(sluice.Event{Seq: 1, At: begin, Kind: sluice.DeploymentStarted, Plan: p, Actor: &sluice.Actor{Name: "ann"}})
	for _, t := range p.Targets {
		for _, e := range d.events(t.Name) {
			e.Seq, e.At = s.Seq+1, begin
			s.Apply(e)
		}
	}
	return s
}

func (d deployed) events(target string) []sluice.Event {
	apply, check := sluice.StepID(target+"/apply"), sluice.StepID(target+"/after/0")
	done := &sluice.Progress{State: sluice.Done, Changes: []sluice.Change{
		{Object: "ConfigMap/shop", Outcome: sluice.Configured},
		{Object: "ConfigMap/only-" + d.content, Outcome: sluice.Created},
	}}
	began := func(id sluice.StepID) sluice.Event {
		return sluice.Event{Kind: sluice.StepStarting, Step: id, Progress: &sluice.Progress{}}
	}
	of := func(kind sluice.EventKind, id sluice.StepID) sluice.Event {
		return sluice.Event{Kind: kind, Step: id, Progress: done, Failure: failureOf(kind)}
	}
	up := []sluice.Event{began(apply), of(sluice.StepDone, apply), began(check)}
	switch d.ends[target] {
	case "never":
		return nil
	case "failed":
		return append(up, of(sluice.StepFailed, check), of(sluice.StepFinished, apply), of(sluice.StepUndone, check))
	case "undone":
		return []sluice.Event{began(apply), of(sluice.StepFailed, apply), of(sluice.StepUndone, apply)}
	case "stuck":
		return []sluice.Event{began(apply), of(sluice.StepFailed, apply), of(sluice.StepUndoFailed, apply)}
	}
	return append(up, of(sluice.StepDone, check), of(sluice.StepFinished, apply), of(sluice.StepFinished, check))
}

func failureOf(kind sluice.EventKind) *sluice.Failure {
	if kind == sluice.StepFailed || kind == sluice.StepUndoFailed {
		return &sluice.Failure{Code: sluice.Failed, Message: "no"}
	}
	return nil
}

func configMap(name string, values ...string) sluice.Object {
	o := sluice.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}}
	if len(values) > 0 {
		o.Set(values[0], "data", "release")
	}
	return o
}
