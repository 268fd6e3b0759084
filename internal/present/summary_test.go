package present

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// lost is a deployment whose verification found missing orders.
func lost(t *testing.T) (*engine.State, sluice.Event) {
	t.Helper()
	keys := make([]string, 12)
	for i := range keys {
		keys[i] = fmt.Sprintf("order-%02d", i)
	}
	v := &sluice.Verification{Dataset: "orders", Reason: "12 documents are missing"}
	v.Comparison.Collections = []sluice.CollectionComparison{{
		Name: "orders", Missing: 12, MissingKeys: keys,
		Changed: 1, ChangedKeys: []sluice.ChangedKey{{Key: "order-99", Fields: []string{"total"}}},
	}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	apply := sluice.StepID("staging/apply")
	verify := sluice.StepID("staging/after/0")
	applies := sluice.StepSpec{Kind: sluice.KindApply}
	p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{
		{Name: "staging", AfterFailure: "rollBack"}, {Name: "production", DependsOn: []string{"staging"}},
	}, Steps: []sluice.PlannedStep{
		{ID: apply, Target: "staging", Phase: sluice.PhaseApply, StepSpec: applies},
		{
			ID: verify, Target: "staging", Phase: sluice.PhaseAfter, After: []sluice.StepID{apply},
			StepSpec: sluice.StepSpec{Kind: sluice.KindVerifyData},
		},
		{ID: "production/apply", Target: "production", Phase: sluice.PhaseApply, StepSpec: applies},
	}}
	changed := []sluice.Change{
		{Object: "Deployment/shop", Outcome: sluice.Configured}, {Object: "Service/shop", Outcome: sluice.Unchanged},
	}
	failed := sluice.Event{Kind: sluice.StepFailed, Step: verify, Failure: &sluice.Failure{
		Code: sluice.Failed, Message: "orders: 12 documents are missing", Hint: "look at the migration",
		Result: &sluice.Result{Verification: v},
	}}
	s := &engine.State{ID: "d1"}
	for i, e := range []sluice.Event{
		{Kind: sluice.DeploymentStarted, Plan: p, Actor: &sluice.Actor{Name: "me"}},
		{Kind: sluice.StepStarting, Step: apply, Progress: &sluice.Progress{}},
		{Kind: sluice.StepDone, Step: apply, Progress: &sluice.Progress{State: sluice.Done, Changes: changed}},
		{Kind: sluice.StepStarting, Step: verify, Progress: &sluice.Progress{}},
		failed,
		{Kind: sluice.StepUndone, Step: verify},
		{Kind: sluice.StepUndone, Step: apply},
		{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusRolledBack},
	} {
		e.Seq, e.At = sluice.Seq(i+1), at.Add(time.Duration(i)*time.Second)
		s.Apply(e)
	}
	return s, failed
}

func TestSummaryNamesWhatWasLostAndPutBack(t *testing.T) {
	s, _ := lost(t)
	var out bytes.Buffer
	report := func(step sluice.StepID) string { return "/state/" + string(step) }
	Summary{Out: &out, State: s, Report: report, Styles: NewStyles(&out)}.Print()
	want := `shop d1: rolledBack after 7.0s
  staging        rolledBack
    staging/after/0 failed: orders: 12 documents are missing
      hint: look at the migration
      orders: 12 missing: order-00, order-01, order-02, order-03, order-04, ` +
		`order-05, order-06, order-07, order-08, order-09, ...
      orders: 1 changed: order-99 (total)
      full report: /state/staging/after/0
    put back: Deployment/shop
  production     skipped
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLiveViewAsksOnce(t *testing.T) {
	s, _ := lost(t)
	choices := make(chan Choice, 1)
	m := model{styles: NewStyles(&bytes.Buffer{}), choices: choices, shot: snap(s, nil, nil), width: 80, height: 30}
	m.shot.status = sluice.StatusRunning
	if view := m.View(); !strings.Contains(view, "after/0") || !strings.Contains(view, "Ctrl-C") {
		t.Errorf("the tree lacks a step or the hint:\n%s", view)
	}
	if m = m.key("r"); len(choices) > 0 {
		t.Error("a key without a question is an answer")
	}
	m = m.key("ctrl+c")
	if view := m.View(); !strings.Contains(view, "d detach (Enter)") {
		t.Errorf("nothing is asked:\n%s", view)
	}
	if m = m.key("esc"); m.asking != nothing {
		t.Error("Esc does not go on")
	}
	for key, want := range map[string]Choice{
		"enter": ChoiceDetach, "c": ChoiceCancel, "r": ChoiceRollBack, "ctrl+c": ChoiceLeave,
	} {
		m.key("ctrl+c").key(key)
		if got := <-choices; got != want {
			t.Errorf("%s means %s, want %s", key, got, want)
		}
	}
	m.height = 4
	if lines := strings.Count(m.View(), "\n"); lines >= 5 {
		t.Errorf("%d lines on a terminal of 4", lines)
	}
}

// A person can approve from the view if it is clear what: one step, without a role.
func TestLiveViewApproves(t *testing.T) {
	waiting := func(roles ...string) snapshot {
		f := &film{state: engine.State{ID: "d1"}}
		f.shoot(rollout(), sluice.Event{Kind: sluice.StepStarting, Step: "prod/canary/1", Progress: &sluice.Progress{}},
			sluice.Event{Kind: sluice.StepProgressed, Step: "prod/canary/1", Progress: &sluice.Progress{
				State: sluice.Waiting, Wait: &sluice.Wait{Signals: []string{sluice.SignalApprove}, Roles: roles}}})
		return snap(&f.state, nil, nil)
	}
	choices := make(chan Choice, 1)
	m := model{styles: NewStyles(&bytes.Buffer{}), choices: choices, shot: waiting(), width: 80, height: 30}
	if view := m.View(); !strings.Contains(view, "a: approve prod/canary/1") {
		t.Errorf("the view does not offer it:\n%s", view)
	}
	if m = m.key("a").key("esc"); len(choices) > 0 {
		t.Error("Esc approves")
	}
	if m = m.key("a"); !strings.Contains(m.View(), "Approve prod/canary/1?") {
		t.Errorf("the view does not ask:\n%s", m.View())
	}
	m.key("y")
	if got := <-choices; got != ChoiceApprove {
		t.Errorf("y is %s", got)
	}
	m.shot = waiting("ops")
	if m = m.key("esc").key("a"); m.asking != nothing {
		t.Error("it offers what takes a role")
	}
}

func TestLiveViewScrolls(t *testing.T) {
	f := &film{state: engine.State{ID: "d1"}}
	f.shoot(rollout(), sluice.Event{Kind: sluice.StepStarting, Step: "prod/after/1", Progress: &sluice.Progress{}})
	m := model{styles: NewStyles(&bytes.Buffer{}), shot: snap(&f.state, nil, nil), width: 80, height: 6}
	whole := m.tree(2)
	if m = m.key("down"); !strings.HasPrefix(m.View(), whole[1]) {
		t.Errorf("one line down:\n%s", m.View())
	}
	for range 50 {
		m = m.key("pgdown")
	}
	if view := m.View(); !strings.Contains(view, whole[len(whole)-1]) || strings.Count(view, "\n") > m.height {
		t.Errorf("at the end:\n%s", view)
	}
	if m = m.key("up"); strings.Contains(m.View(), whole[len(whole)-1]) {
		t.Errorf("one line up:\n%s", m.View())
	}
	if m = m.key("esc"); !strings.Contains(m.View(), whole[0]) || strings.Contains(m.View(), "Esc") {
		t.Errorf("Esc does not go back:\n%s", m.View())
	}
}

// The person who only watches is asked nothing and cannot change the deployment.
func TestLiveViewOfAWatcherOnlyLeaves(t *testing.T) {
	s, _ := lost(t)
	choices := make(chan Choice, 1)
	m := model{
		styles: NewStyles(&bytes.Buffer{}), choices: choices, watches: true, shot: snap(s, nil, nil), width: 80, height: 30,
	}
	m.shot.status = sluice.StatusRunning
	if view := m.View(); !strings.Contains(view, "q: stop watching") {
		t.Errorf("the view does not say how to leave:\n%s", view)
	}
	for _, key := range []string{"q", "ctrl+c"} {
		m.key("c").key("r").key(key)
		if got := <-choices; got != ChoiceLeave {
			t.Errorf("%s means %s", key, got)
		}
	}
}

func TestSpeed(t *testing.T) {
	at := time.Unix(1000, 0)
	since := gauge{at, "bytes", 0}
	n := sluice.Amount{Unit: "bytes", Done: 10 << 20, Total: 30 << 20}
	if got := speed(n, since, at.Add(2*time.Second)); got != "5.0 MiB/s, 4.0s left" {
		t.Errorf("speed %q", got)
	}
	if got := speed(n, since, at); got != "" {
		t.Errorf("speed at once %q", got)
	}
}
