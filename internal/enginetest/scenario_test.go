package enginetest

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// A scenario is a plan, how its steps behave, and what people say.
type scenario struct {
	behaviours map[sluice.StepID]behaviour
	afterwards string        // afterFailure of staging
	said       string        // a signal, sent when the step saidAt waits
	saidAt     sluice.StepID // in place of what ends its wait
	saidTo     sluice.StepID // "" for the whole deployment
	outcome    sluice.Status
	targets    map[string]sluice.Status
	continued  bool // after a pause: once the step saidAt is done
	silent     bool // nobody answers in the process that runs it
	repairs    int  // how often somebody repairs the world and lets the undo that failed go on
}

// pause is how long a step that waits for a time waits.
const pause = 40 * time.Millisecond

// plan has every way in which steps stand to each other: lists in parallel, a sequence inside one, a chain, a target
// that depends on another, and what runs after an undo.
func plan(afterFailure string) *sluice.Plan {
	at := func(target string, phase sluice.Phase, path string, after ...sluice.StepID) sluice.PlannedStep {
		return sluice.PlannedStep{ID: sluice.StepID(target + "/" + path), Target: target, Phase: phase, After: after}
	}
	gate := func(s sluice.PlannedStep) sluice.PlannedStep {
		s.Kind = sluice.KindRunWebhook
		return s
	}
	return &sluice.Plan{
		Application: "shop",
		Targets: []sluice.PlannedTarget{
			{Name: "staging", AfterFailure: afterFailure},
			{Name: "production", AfterFailure: "rollBack", DependsOn: []string{"staging"}},
		},
		Steps: []sluice.PlannedStep{
			at("staging", sluice.PhaseBefore, "before/0"),
			at("staging", sluice.PhaseBefore, "before/1"),
			at("staging", sluice.PhaseBefore, "before/2"),
			at("staging", sluice.PhaseApply, "apply", "staging/before/0", "staging/before/1", "staging/before/2"),
			at("staging", sluice.PhaseAfter, "after/0/0", "staging/apply"),
			at("staging", sluice.PhaseAfter, "after/0/1", "staging/after/0/0"),
			at("staging", sluice.PhaseAfter, "after/1", "staging/apply"),
			at("production", sluice.PhaseBefore, "before/0"),
			at("production", sluice.PhaseApply, "apply", "production/before/0"),
			at("production", sluice.PhaseCanary, "canary/0", "production/apply"),
			gate(at("production", sluice.PhaseCanary, "canary/1", "production/canary/0")),
			gate(at("production", sluice.PhaseCanary, "canary/2", "production/canary/1")),
			at("production", sluice.PhasePromote, "promote", "production/canary/2"),
			at("production", sluice.PhaseAfter, "after/0", "production/promote"),
			at("production", sluice.PhaseOnRollback, "onRollback/0"),
			at("production", sluice.PhaseOnRollback, "onRollback/1", "production/onRollback/0"),
		},
	}
}

// behaviours are those of a plan where everything works: instant, running, flaky, waiting for a time, for a person, for
// a callback.
func behaviours(changes map[sluice.StepID]behaviour) map[sluice.StepID]behaviour {
	all := map[sluice.StepID]behaviour{
		"staging/before/0":        {},
		"staging/before/1":        {rounds: 2},
		"staging/before/2":        {flaky: true},
		"staging/apply":           {rounds: 1, lane: true},
		"staging/after/0/0":       {},
		"staging/after/0/1":       {rounds: 1},
		"staging/after/1":         {signal: sluice.SignalCallback},
		"production/before/0":     {rounds: 1},
		"production/apply":        {rounds: 1, lane: true},
		"production/canary/0":     {pause: pause, lane: true},
		"production/canary/1":     {signal: sluice.SignalApprove},
		"production/canary/2":     {rounds: 1, lane: true},
		"production/promote":      {lane: true},
		"production/after/0":      {},
		"production/onRollback/0": {rounds: 1},
		"production/onRollback/1": {},
	}
	for id, b := range changes {
		all[id] = b
	}
	return all
}

// scenarios are the ways a deployment can go. A failure that has to find its siblings at rest waits a second for them,
// which costs nothing where time is not real.
var scenarios = map[string]scenario{
	"everything works": {
		behaviours: behaviours(nil), afterwards: "keep",
		outcome: sluice.StatusSucceeded,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusSucceeded},
	},
	"the canary fails": {
		behaviours: behaviours(map[sluice.StepID]behaviour{"production/canary/2": {rounds: 1, lane: true, fails: true}}),
		afterwards: "keep",
		outcome:    sluice.StatusRolledBack,
		targets:    map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
	"the guard of the canary ends a wait": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"production/apply":    {rounds: 1, lane: true, well: time.Second},
			"production/canary/2": {pause: 24 * time.Hour, lane: true},
		}), afterwards: "keep",
		outcome: sluice.StatusRolledBack,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
	"the canary fails and something cannot be put back": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"production/canary/2": {lane: true, fails: true},
			"production/canary/0": {lane: true, scarred: true},
		}), afterwards: "keep",
		outcome: sluice.StatusFailed,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusFailed},
	},
	"what could not be put back is put back later": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"production/canary/2": {lane: true, fails: true},
			"production/canary/0": {lane: true, scarred: true, repairs: 2},
			"production/apply":    {rounds: 1, lane: true, scarred: true, repairs: 1},
		}), afterwards: "keep", repairs: 2,
		outcome: sluice.StatusRolledBack,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
	"what a cancel could not put back is put back later": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"production/canary/0": {pause: pause, lane: true, scarred: true, repairs: 1},
		}), afterwards: "keep", said: sluice.SignalCancel, saidAt: "production/canary/1", repairs: 1,
		outcome: sluice.StatusCancelled,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusCancelled},
	},
	"what is undone of a failure that is kept": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"staging/after/0/1": {pause: time.Second, fails: true, scarred: true, repairs: 1},
		}), afterwards: "keep", repairs: 1,
		outcome: sluice.StatusFailed,
		targets: map[string]sluice.Status{"staging": sluice.StatusFailed, "production": sluice.StatusSkipped},
	},
	"one of a parallel list fails": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"staging/before/1": {rounds: 2, fails: true},
			"staging/before/2": {},
		}), afterwards: "keep",
		outcome: sluice.StatusFailed,
		targets: map[string]sluice.Status{"staging": sluice.StatusFailed, "production": sluice.StatusSkipped},
	},
	"a failure afterwards is kept": {
		behaviours: behaviours(map[sluice.StepID]behaviour{"staging/after/0/1": {pause: time.Second, fails: true}}),
		afterwards: "keep",
		outcome:    sluice.StatusFailed,
		targets:    map[string]sluice.Status{"staging": sluice.StatusFailed, "production": sluice.StatusSkipped},
	},
	"a failure afterwards rolls back": {
		behaviours: behaviours(map[sluice.StepID]behaviour{"staging/after/0/1": {pause: time.Second, fails: true}}),
		afterwards: "rollBack",
		outcome:    sluice.StatusRolledBack,
		targets:    map[string]sluice.Status{"staging": sluice.StatusRolledBack, "production": sluice.StatusSkipped},
	},
	"a person promotes": {
		behaviours: behaviours(map[sluice.StepID]behaviour{"production/canary/2": {fails: true}}), afterwards: "keep",
		said: sluice.SignalPromote, saidAt: "production/canary/1", saidTo: "production/promote",
		outcome: sluice.StatusSucceeded,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusSucceeded},
	},
	"a person promotes what then fails": {
		behaviours: behaviours(map[sluice.StepID]behaviour{"production/promote": {lane: true, fails: true}}),
		afterwards: "keep", said: sluice.SignalPromote, saidAt: "production/canary/1", saidTo: "production/promote",
		outcome: sluice.StatusRolledBack,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
	"a person pauses and continues": {
		behaviours: behaviours(nil), afterwards: "keep",
		said: sluice.SignalPause, saidAt: "production/canary/1", continued: true,
		outcome: sluice.StatusSucceeded,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusSucceeded},
	},
	"a person pauses what then fails": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"production/canary/1": {signal: sluice.SignalApprove, fails: true},
		}), afterwards: "keep", said: sluice.SignalPause, saidAt: "production/canary/1",
		outcome: sluice.StatusRolledBack,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
	"the guard of the canary ends a pause": {
		behaviours: behaviours(map[sluice.StepID]behaviour{
			"production/apply": {rounds: 1, lane: true, well: time.Second},
		}), afterwards: "keep", said: sluice.SignalPause, saidAt: "production/canary/1",
		outcome: sluice.StatusRolledBack,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
	"a person cancels": {
		behaviours: behaviours(nil), afterwards: "keep", said: sluice.SignalCancel, saidAt: "production/canary/1",
		outcome: sluice.StatusCancelled,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusCancelled},
	},
	"a person rolls back": {
		behaviours: behaviours(nil), afterwards: "keep", said: sluice.SignalRollBack, saidAt: "production/canary/1",
		outcome: sluice.StatusRolledBack,
		targets: map[string]sluice.Status{"staging": sluice.StatusSucceeded, "production": sluice.StatusRolledBack},
	},
}
