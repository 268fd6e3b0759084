package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// strategy is a target whose strategy has these kinds of steps, one after the other.
func strategy(kinds ...sluice.StepKind) *sluice.Plan {
	p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "a", AfterFailure: "rollBack"}}}
	add := func(id sluice.StepID, phase sluice.Phase, kind sluice.StepKind) {
		s := sluice.PlannedStep{ID: id, Target: "a", Phase: phase, StepSpec: sluice.StepSpec{Kind: kind}}
		if n := len(p.Steps); n > 0 {
			s.After = []sluice.StepID{p.Steps[n-1].ID}
		}
		p.Steps = append(p.Steps, s)
	}
	add("a/apply", sluice.PhaseApply, sluice.KindApply)
	for i, kind := range kinds {
		add(sluice.StepID("a/canary/"+string(rune('0'+i))), sluice.PhaseCanary, kind)
	}
	add("a/promote", sluice.PhasePromote, sluice.KindPromote)
	add("a/after/0", sluice.PhaseAfter, sluice.KindPause)
	return p
}

// A situation is a deployment that events have led to.
type situation struct{ *engine.State }

func begun(p *sluice.Plan) situation {
	s := situation{&engine.State{ID: "d"}}
	s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: p})
	return s
}

func (s situation) starts(id sluice.StepID) situation {
	s.Apply(sluice.Event{Kind: sluice.StepStarting, Step: id, At: time.Unix(1, 0), Progress: &sluice.Progress{}})
	return s
}

func (s situation) waits(id sluice.StepID, r *sluice.Result, signals ...string) situation {
	s.starts(id).Apply(sluice.Event{Kind: sluice.StepProgressed, Step: id, Progress: &sluice.Progress{
		State: sluice.Waiting, Wait: &sluice.Wait{Signals: signals}, Result: r,
	}})
	return s
}

func (s situation) done(ids ...sluice.StepID) situation {
	for _, id := range ids {
		s.starts(id).Apply(sluice.Event{Kind: sluice.StepDone, Step: id, Progress: &sluice.Progress{State: sluice.Done}})
	}
	return s
}

func (s situation) fails(id sluice.StepID) situation {
	s.starts(id).Apply(sluice.Event{Kind: sluice.StepFailed, Step: id, Failure: &sluice.Failure{}})
	return s
}

func (s situation) hears(sig sluice.Signal) situation {
	s.Apply(sluice.Event{Kind: sluice.SignalReceived, Signal: &sig})
	return s
}

// skipped applies what the decisions skip until they skip nothing, and returns it and what then is to be done.
func (s situation) skipped() (ids []sluice.StepID, next []engine.Action) {
	for {
		d := engine.Decide(s.State, time.Time{})
		if len(d.Skip) == 0 {
			return ids, d.Actions
		}
		for _, id := range d.Skip {
			s.Apply(sluice.Event{Kind: sluice.StepSkipped, Step: id, Signal: &sluice.Signal{Kind: sluice.SignalPromote}})
		}
		ids = append(ids, d.Skip...)
	}
}

var promotion = sluice.Signal{Kind: sluice.SignalPromote, Step: "a/promote", By: sluice.Actor{Name: "ada"}}

func TestAPromotionSkipsGatesAndWeights(t *testing.T) {
	weight, pause, job := sluice.KindSetWeight, sluice.KindPause, sluice.KindRunJob
	for name, test := range map[string]struct {
		situation situation
		skips     []sluice.StepID
		next      engine.Action
	}{
		"a gate that waits, and all that follows": {
			begun(strategy(weight, pause, weight, sluice.KindAnalysis, sluice.KindRunWebhook)).
				done("a/apply", "a/canary/0").waits("a/canary/1", nil),
			[]sluice.StepID{"a/canary/1", "a/canary/2", "a/canary/3", "a/canary/4"},
			engine.Action{Verb: "check", Step: "a/promote"},
		},
		"what does work runs first": {
			begun(strategy(pause, job, pause)).done("a/apply"),
			[]sluice.StepID{"a/canary/0"}, engine.Action{Verb: "check", Step: "a/canary/1"},
		},
		"a weight that is being set ends first": {
			begun(strategy(weight, pause)).done("a/apply").starts("a/canary/0"),
			nil, engine.Action{Verb: "start", Step: "a/canary/0"},
		},
		"a gate that has an answer looks at it first": {
			begun(strategy(sluice.KindRunWebhook, pause)).done("a/apply").waits("a/canary/0", nil, sluice.SignalCallback).
				hears(sluice.Signal{Kind: sluice.SignalCallback, Step: "a/canary/0"}),
			nil, engine.Action{Verb: "observe", Step: "a/canary/0"},
		},
		"the apply that runs ends first": {
			begun(strategy(weight, pause)).starts("a/apply"), nil, engine.Action{Verb: "start", Step: "a/apply"},
		},
	} {
		s := test.situation
		if err := engine.Admit(s.State, promotion); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		skips, next := s.hears(promotion).skipped()
		if diff := cmp.Diff(test.skips, skips); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if len(next) != 1 || next[0] != test.next {
			t.Errorf("%s: next is %v, want %v", name, next, test.next)
		}
	}
}

func TestAPromotionThatIsRefusedSaysWhatIsPossible(t *testing.T) {
	pause := sluice.KindPause
	bad := &sluice.Result{Judgment: &sluice.Judgment{Verdict: sluice.Bad}}
	guarded := strategy(pause)
	guarded.Steps[1].Pause = &sluice.Pause{UntilApproved: true, RequiresRoles: []string{"ops"}}
	for name, test := range map[string]struct {
		situation situation
		code      sluice.Code
		says      string
	}{
		"nothing has started": {begun(strategy(pause)), sluice.Conflict, "sluice status d"},
		"it is being undone": {
			begun(strategy(pause, pause)).done("a/apply").fails("a/canary/0"), sluice.Conflict, "sluice run",
		},
		"the release was found bad": {
			begun(strategy(sluice.KindAnalysis, pause)).done("a/apply").waits("a/canary/0", bad, sluice.SignalApprove),
			sluice.Conflict, "sluice reject d a/canary/0",
		},
		"nothing is left to skip": {
			begun(strategy(pause)).done("a/apply", "a/canary/0"), sluice.Conflict, "sluice status d",
		},
		"it was said before": {
			begun(strategy(pause)).done("a/apply").hears(promotion), sluice.Conflict, "sluice status d",
		},
		"a person has rejected a gate": {
			begun(strategy(pause, pause)).done("a/apply").waits("a/canary/0", nil, sluice.SignalReject).
				hears(sluice.Signal{Kind: sluice.SignalReject, Step: "a/canary/0"}),
			sluice.Conflict, "sluice run",
		},
		"a role is missing": {begun(guarded).done("a/apply"), sluice.Denied, `--role "ops"`},
	} {
		err := engine.Admit(test.situation.State, promotion)
		if sluice.ErrorCode(err) != test.code || !strings.Contains(sluice.ErrorHint(err), test.says) {
			t.Errorf("%s: %v, hint %q", name, err, sluice.ErrorHint(err))
		}
	}
	other := promotion
	other.Step = "a/canary/0"
	if err := engine.Admit(begun(guarded).done("a/apply").State, other); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("a step that promotes nothing: %v", err)
	}
	granted := promotion
	granted.By.Roles = []string{"ops"}
	if err := engine.Admit(begun(guarded).done("a/apply").State, granted); err != nil {
		t.Errorf("with the role: %v", err)
	}
}

// A webhook that is being called is interrupted, and what it reports afterwards does not count.
func TestAPromotionInterruptsAGateThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupted := false
		w := &world{start: starts{"a/canary/0": func(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
			<-ctx.Done()
			interrupted = true
			return sluice.Progress{State: sluice.Waiting, Wait: &sluice.Wait{Until: time.Now().Add(time.Hour)}}, nil
		}}}
		store := storetest.NewMemory()
		e := newEngine(t, store, w)
		id, err := e.Start(t.Context(), strategy(sluice.KindRunWebhook), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := e.Signal(t.Context(), id, promotion); err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(t.Context(), id); status != sluice.StatusSucceeded || err != nil || !interrupted {
			t.Errorf("status %s, %v, interrupted %t", status, err, interrupted)
		}
		isOver := false
		for event, err := range store.Read(t.Context(), id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if isOver && event.Step == "a/canary/0" && event.Kind != sluice.StepFinishing && event.Kind != sluice.StepFinished {
				t.Errorf("%s was recorded after the gate was skipped", event.Kind)
			}
			isOver = isOver || event.Kind == sluice.StepSkipped
		}
		s, err := engine.Fold(id, store.Read(t.Context(), id, 0))
		if err != nil {
			t.Fatal(err)
		}
		run := s.Steps["a/canary/0"]
		if run.Phase != engine.PhaseFinished || run.Skipped == nil || run.Skipped.By.Name != "ada" {
			t.Errorf("the gate is %s, skipped for %+v", run.Phase, run.Skipped)
		}
		if !slices.Equal(s.Started, []sluice.StepID{"a/apply", "a/canary/0", "a/promote", "a/after/0"}) {
			t.Errorf("started %v", s.Started)
		}
	})
}
