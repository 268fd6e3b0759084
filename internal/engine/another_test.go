package engine_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// Who started a deployment may not approve a pause that another person has to approve, nor skip it.
func TestAnotherPersonApproves(t *testing.T) {
	const pause = sluice.StepID("a/canary/0")
	started := func(by sluice.Actor) situation {
		p := strategy(sluice.KindPause)
		p.Steps[1].Pause = &sluice.Pause{UntilApproved: true, ApprovedByAnother: true}
		s := situation{&engine.State{ID: "d"}}
		s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: p, Actor: &by})
		s = s.done("a/apply").starts(pause)
		s.Apply(sluice.Event{Kind: sluice.StepProgressed, Step: pause, Progress: &sluice.Progress{
			State: sluice.Waiting,
			Wait:  &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalReject}, Another: true},
		}})
		return s
	}
	ana, bob := sluice.Actor{Name: "ana"}, sluice.Actor{Name: "bob"}
	proven := func(name, id string) sluice.Actor { return sluice.Actor{Name: name, Identity: "issuer#" + id} }
	tests := map[string]struct {
		by, approves sluice.Actor
		code         sluice.Code
	}{
		"the same name":              {ana, ana, sluice.Denied},
		"another name":               {ana, bob, ""},
		"the same identity":          {proven("ana", "1"), proven("ana again", "1"), sluice.Denied},
		"another one of that name":   {proven("ana", "1"), proven("ana", "2"), ""},
		"a name without an identity": {proven("ana", "1"), ana, ""},
	}
	for name, c := range tests {
		s := started(c.by)
		for _, sig := range []sluice.Signal{
			{Kind: sluice.SignalApprove, Step: pause}, {Kind: sluice.SignalPromote, Step: "a/promote"},
		} {
			sig.By = c.approves
			if err := engine.Admit(s.State, sig); sluice.ErrorCode(err) != c.code && (err != nil || c.code != "") {
				t.Errorf("%s, %s: %v, want %q", name, sig.Kind, err, c.code)
			}
		}
		reject := sluice.Signal{Kind: sluice.SignalReject, Step: pause, By: c.approves}
		if err := engine.Admit(s.State, reject); err != nil {
			t.Errorf("%s: who started it may still reject: %v", name, err)
		}
	}
}
