// Package step makes the steps of a plan. A step reaches the world only through the contracts in [Deps], so the same
// steps deliver to every kind of account.
//
// The steps are in three packages, one file for each kind: gate holds steps that only decide, rollout those that change
// objects and traffic, and data those that copy, compare and replace data. What they share has packages of its own:
// deps (what steps act through), object (one object of an account), ready (to wait for objects), delivery (what belongs
// to a deployment), sibling (the other steps of the target), record, render and decision.
//
// All of them import the root and level-1 packages, never an adapter. Start reading at [New], then at gate/pause.go,
// the smallest step, and rollout/apply.go, the largest.
package step

import (
	"net/http"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/data"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/gate"
	"github.com/sluice-cd/sluice/internal/step/rollout"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// Deps is what steps act through.
type Deps = deps.Deps

// A maker makes one kind of step. It has no effects.
type maker func(d Deps, sc sluice.StepContext) (sluice.Step, error)

var makers = map[sluice.StepKind]maker{
	sluice.KindCheckpointData: data.NewCheckpointData,
	sluice.KindMigrateData:    data.NewMigrateData,
	sluice.KindVerifyData:     data.NewVerifyData,
	sluice.KindRestoreData:    data.NewRestoreData,

	sluice.KindRunWebhook:     gate.NewRunWebhook,
	sluice.KindAnalysis:       gate.NewAnalysis,
	sluice.KindPause:          gate.NewPause,
	sluice.KindWaitFor:        gate.NewWaitFor,
	sluice.KindRunJob:         gate.NewRunJob,
	sluice.KindExposeServices: gate.NewExposeServices,

	sluice.KindApply:     rollout.NewApply,
	sluice.KindSetWeight: rollout.NewSetWeight,
	sluice.KindPromote:   rollout.NewPromote,
	sluice.KindPrune:     rollout.NewPrune,
}

// New returns the maker of every kind of step that a plan can hold.
func New(d Deps) sluice.Steps {
	if d.HTTP == nil {
		d.HTTP = http.DefaultClient
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return registry{d}
}

type registry struct{ deps Deps }

// New makes the step that sc.Step declares.
func (r registry) New(sc sluice.StepContext) (sluice.Step, error) {
	make, ok := makers[sc.Step.Kind]
	if !ok {
		return nil, sluice.Errorf(sluice.Unsupported,
			"step %s is of the kind %q, which this version does not support", sc.Step.ID, sc.Step.Kind).
			WithHint("the kinds are %s", deps.Names(makers)).At(sc.Step.Pos)
	}
	if sc.Report == nil {
		sc.Report = func(sluice.Progress) {}
	}
	if sibling.IsLeftOut(sc) {
		return gate.LeftOut{}, nil
	}
	return make(r.deps.Reporting(sc.Report), sc)
}
