package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

var (
	ada       = sluice.Actor{Name: "ada"}
	pausing   = sluice.Signal{Kind: sluice.SignalPause, By: ada, Reason: "look at the graphs"}
	goingOn   = sluice.Signal{Kind: sluice.SignalContinue, By: ada}
	approving = sluice.Signal{Kind: sluice.SignalApprove, Step: "a/canary/0", By: ada}
)

func TestAPausedTargetBeginsNoStep(t *testing.T) {
	weight, pause := sluice.KindSetWeight, sluice.KindPause
	for name, test := range map[string]struct {
		situation situation
		status    sluice.Status
		next      []engine.Action
		guarded   bool
	}{
		"between two steps, under the guard of what was brought": {
			begun(strategy(weight, pause)).done("a/apply", "a/canary/0").hears(pausing), sluice.StatusPaused, nil, true,
		},
		"before its first step": {begun(strategy(weight)).hears(pausing), sluice.StatusPaused, nil, false},
		"a step that works goes on": {
			begun(strategy(weight, pause)).done("a/apply").starts("a/canary/0").hears(pausing),
			sluice.StatusPaused, []engine.Action{{Verb: "start", Step: "a/canary/0"}}, false,
		},
		"a step that waits is decided": {
			begun(strategy(pause, weight)).done("a/apply").waits("a/canary/0", nil, sluice.SignalApprove).
				hears(pausing).hears(approving),
			sluice.StatusPaused, []engine.Action{{Verb: "observe", Step: "a/canary/0"}}, true,
		},
		"a step that fails is undone": {
			begun(strategy(weight, pause)).done("a/apply").hears(pausing).fails("a/canary/0"),
			sluice.StatusRollingBack, []engine.Action{{Verb: "undo", Step: "a/canary/0"}}, false,
		},
		"a person rolls it back": {
			begun(strategy(weight)).done("a/apply").hears(pausing).hears(sluice.Signal{Kind: sluice.SignalRollBack}),
			sluice.StatusRollingBack, []engine.Action{{Verb: "undo", Step: "a/apply"}}, false,
		},
		"a person continues it": {
			begun(strategy(weight)).done("a/apply").hears(pausing).hears(goingOn),
			sluice.StatusRunning, []engine.Action{{Verb: "check", Step: "a/canary/0"}}, false,
		},
		"a person promotes it": {
			begun(strategy(weight)).done("a/apply").hears(pausing).hears(promotion),
			sluice.StatusRunning, nil, false,
		},
		"a promotion that is under way": {
			begun(strategy(weight, pause)).done("a/apply").starts("a/canary/0").hears(promotion).hears(pausing).
				done("a/canary/0"),
			sluice.StatusPaused, nil, true,
		},
	} {
		d := engine.Decide(test.situation.State, time.Time{})
		if diff := cmp.Diff(test.next, d.Actions); diff != "" {
			t.Errorf("%s: actions (-want +got):\n%s", name, diff)
		}
		s := test.situation
		if s.Status() != test.status || s.Target("a") != test.status || (s.Paused("a") != nil) != (test.status == "paused") {
			t.Errorf("%s: the status is %s, that of the target %s, paused %v", name, s.Status(), s.Target("a"), s.Paused("a"))
		}
		if guarded := len(d.Guards) > 0; guarded != test.guarded || d.End != "" {
			t.Errorf("%s: guarded is %t, end %q", name, guarded, d.End)
		}
	}
}

// A pause is for the targets that have steps left. The others go on, and a target that starts later stays paused.
func TestAPauseOfOneTargetLeavesTheOthers(t *testing.T) {
	one := pausing
	one.Target = "production"
	s := begun(shop()).hears(one)
	d := engine.Decide(s.State, time.Time{})
	if diff := cmp.Diff([]engine.Action{{Verb: "check", Step: "staging/apply"}}, d.Actions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Status() != sluice.StatusRunning || s.Target("production") != sluice.StatusPaused {
		t.Errorf("%s, production %s", s.Status(), s.Target("production"))
	}
	if held := s.Held("production"); held == nil || held.Plan.ID != "production/apply" {
		t.Errorf("held is %v", held)
	}
	if err := engine.Admit(s.State, pausing); err != nil {
		t.Errorf("the others cannot be paused: %v", err)
	}
	s.hears(pausing)
	if d := engine.Decide(s.State, time.Time{}); len(d.Actions) > 0 || s.Status() != sluice.StatusPaused {
		t.Errorf("%s: %v", s.Status(), d.Actions)
	}
	if s.hears(goingOn); s.Paused("staging") != nil || s.Paused("production") != nil {
		t.Error("to continue does not continue every target")
	}
}

func TestAPauseThatIsRefusedSaysWhatIsPossible(t *testing.T) {
	queued := situation{&engine.State{ID: "d"}}
	queued.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentQueued, Plan: strategy()})
	ended := begun(strategy())
	ended.Apply(sluice.Event{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusSucceeded})
	other := pausing
	other.Target = "b"
	for name, test := range map[string]struct {
		situation situation
		signal    sluice.Signal
		code      sluice.Code
		says      string
		hint      string
	}{
		"it is paused": {
			begun(strategy()).hears(pausing), pausing, sluice.Conflict, "already paused, by ada", "sluice promote d",
		},
		"it has ended": {ended, pausing, sluice.Conflict, "has ended: succeeded", "sluice rollback d"},
		"it is queued": {queued, pausing, sluice.Conflict, "waits for its turn", "sluice cancel d"},
		"it is being undone": {
			begun(strategy()).done("a/apply").fails("a/promote"), pausing, sluice.Conflict, "being undone", "sluice status d",
		},
		"its last step runs": {
			begun(strategy()).done("a/apply", "a/promote").starts("a/after/0"), pausing, sluice.Conflict,
			"has begun its last step", "sluice cancel d",
		},
		"another target":   {begun(strategy()), other, sluice.NotFound, `no target "b"`, "sluice status d"},
		"it is not paused": {begun(strategy()), goingOn, sluice.Conflict, "a is not paused", "sluice status d"},
	} {
		err := engine.Admit(test.situation.State, test.signal)
		if sluice.ErrorCode(err) != test.code || !strings.Contains(err.Error(), test.says) ||
			!strings.Contains(sluice.ErrorHint(err), test.hint) {
			t.Errorf("%s: %v, hint %q", name, err, sluice.ErrorHint(err))
		}
	}
}

// A pause may come while the next step is being checked. The check is interrupted, what it says does not count, and the
// step is checked again once a person continues.
func TestAPauseHoldsBackAStepThatIsBeingChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks := 0
		w := &world{check: func(ctx context.Context, id sluice.StepID) {
			if id == "a/canary/0" {
				if checks++; checks == 1 {
					<-ctx.Done()
				}
			}
		}}
		store := storetest.NewMemory()
		e := newEngine(t, store, w)
		id, err := e.Start(t.Context(), strategy(sluice.KindSetWeight), ada)
		if err != nil {
			t.Fatal(err)
		}
		fold := func() *engine.State {
			synctest.Wait()
			s, err := engine.Fold(id, store.Read(t.Context(), id, 0))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		fold()
		if err := e.Signal(t.Context(), id, pausing); err != nil {
			t.Fatal(err)
		}
		if s := fold(); s.Steps["a/canary/0"].Phase != engine.PhasePending || s.Status() != sluice.StatusPaused {
			t.Errorf("the step is %s, the deployment %s", s.Steps["a/canary/0"].Phase, s.Status())
		}
		if err := e.Signal(t.Context(), id, goingOn); err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(t.Context(), id); status != sluice.StatusSucceeded || err != nil || checks != 2 {
			t.Errorf("status %s, %v, %d checks", status, err, checks)
		}
	})
}
