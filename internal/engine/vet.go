package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/sluice-cd/sluice"
)

// A Vetter is a step that can tell before anything starts what will certainly fail. It does not judge what an earlier
// step may still change, nor an account that is away.
type Vetter interface {
	// Vet returns what will fail, joined if it is several things. It only reads, and may be called before any step of
	// the plan was started.
	Vet(ctx context.Context) error
}

// Vet returns a finding for everything of the step that will certainly fail: it cannot be made here, or it says so
// itself. err is any other reason why the step cannot be made.
func Vet(ctx context.Context, steps sluice.Steps, sc sluice.StepContext) (refused sluice.Diagnostics, err error) {
	step, err := steps.New(sc)
	if err != nil {
		if refused = refusals(sc, err); len(refused) > 0 {
			return refused, nil
		}
		return nil, err
	}
	if v, ok := step.(Vetter); ok {
		refused = refusals(sc, v.Vet(ctx))
	}
	return refused, nil
}

// refusals returns a finding for each refusal in err, whose parts may be joined. It returns nil if err is none.
func refusals(sc sluice.StepContext, err error) sluice.Diagnostics {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all sluice.Diagnostics
		for _, e := range joined.Unwrap() {
			all = append(all, refusals(sc, e)...)
		}
		return all
	}
	e, ok := errors.AsType[*sluice.Error](err)
	if !ok || !e.Code.IsRefusal() {
		return nil
	}
	pos, who := cmp.Or(e.Pos, sc.Step.Pos, sc.Target.Pos), "target "+sc.Target.Name
	if !pos.IsValid() {
		who = string(sc.Step.ID)
	}
	unplaced := *e
	unplaced.Pos = sluice.Position{}
	return sluice.Diagnostics{{
		Pos: pos, Severity: sluice.SeverityError, Code: codeRefused,
		Message: who + ": " + unplaced.Error(), Hint: sluice.ErrorHint(e),
	}}
}
