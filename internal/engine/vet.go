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
	// Vet is a Check that may be called before any step of the plan was started. Its error is only what will certainly
	// fail, joined if it is several things.
	Vet(ctx context.Context) (sluice.Preview, error)
}

// A Vetting goes through the steps of a plan before anything starts, in their order. It remembers what the steps would
// change for later ones: a first deployment leaves out gates, and steps on data that is not there yet.
type Vetting struct {
	Steps   sluice.Steps
	results map[sluice.StepID]sluice.Result
}

// Vet returns a finding for everything of the step that will certainly fail: it cannot be made here, or it says so
// itself. err is any other reason why the step cannot be made.
func (v *Vetting) Vet(ctx context.Context, sc sluice.StepContext) (refused sluice.Diagnostics, err error) {
	step, err := v.New(sc)
	if err != nil {
		if refused = refusals(sc, err); len(refused) > 0 {
			return refused, nil
		}
		return nil, err
	}
	if vetter, ok := step.(Vetter); ok {
		preview, err := vetter.Vet(ctx)
		v.note(sc, preview)
		refused = refusals(sc, err)
	}
	return refused, nil
}

// Check makes the step and asks it what it would do. refused is what Vet finds if the step cannot say.
func (v *Vetting) Check(ctx context.Context, sc sluice.StepContext) (
	preview sluice.Preview, refused sluice.Diagnostics, err error,
) {
	step, err := v.New(sc)
	if err == nil {
		preview, err = step.Check(ctx)
	}
	if err != nil {
		refused, _ = v.Vet(ctx, sc) // its error is the same
		return preview, refused, err
	}
	v.note(sc, preview)
	return preview, nil, nil
}

// New makes the step as it would be made after the steps before it.
func (v *Vetting) New(sc sluice.StepContext) (sluice.Step, error) {
	sc.Results = v.results
	return v.Steps.New(sc)
}

func (v *Vetting) note(sc sluice.StepContext, p sluice.Preview) {
	if !p.First && !p.NoData {
		return
	}
	if v.results == nil {
		v.results = map[sluice.StepID]sluice.Result{}
	}
	v.results[sc.Step.ID] = sluice.Result{First: p.First, NoData: p.NoData}
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
