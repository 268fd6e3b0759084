package data

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// isLeftOut reports whether the step that should have copied the data was left out in this deployment.
func isLeftOut(sc sluice.StepContext, from sluice.StepID) bool { return sc.Results[from].NoData }

// A copying step copies data of the source. It is left out if the source has none yet. That is decided once, by Check,
// and recorded: the deployment itself brings data later.
type copying struct {
	sluice.Step
	source dataset.Dataset
}

// found is what Check records if there is no data.
type found struct {
	NoData bool `json:"noData,omitempty"`
}

// newCopying returns the step, which is left out if the source has no data yet. A workload that this deployment does
// not bring may be misspelled, and a rehearsal has rules of its own: then the step is returned as it is.
func newCopying(sc sluice.StepContext, source dataset.Dataset, s sluice.Step) sluice.Step {
	if sc.Plan == nil || sc.Plan.Rehearsal != nil || !brings(sc.Plan, source.Spec.Workload) {
		return s
	}
	return copying{s, source}
}

// brings reports whether the plan applies the workload to any target.
func brings(p *sluice.Plan, workload string) bool {
	return slices.ContainsFunc(p.Steps, func(s sluice.PlannedStep) bool {
		return s.Apply != nil && slices.ContainsFunc(s.Apply.Objects, func(o sluice.Object) bool {
			return o.Ref().String() == workload
		})
	})
}

func (s copying) leftOut() sluice.LeftOut {
	return sluice.LeftOut{Why: "left out: " + s.source.Target + " has no data of " + s.source.Spec.Name + " yet"}
}

// Vet finds data that cannot be copied. That there is none yet is no fault.
func (s copying) Vet(ctx context.Context) (sluice.Preview, error) {
	preview, err := s.Check(ctx)
	if err == nil {
		return preview, nil
	}
	if vetter, ok := s.Step.(interface {
		Vet(ctx context.Context) (sluice.Preview, error)
	}); ok {
		return vetter.Vet(ctx)
	}
	return preview, nil
}

// Check says what would be copied, or that there is nothing.
func (s copying) Check(ctx context.Context) (sluice.Preview, error) {
	preview, err := s.Step.Check(ctx)
	if sluice.ErrorCode(err) != sluice.NotFound {
		return preview, err
	}
	absent, failed := s.source.IsAbsent(ctx)
	if failed != nil {
		return preview, failed
	}
	if !absent {
		return preview, err
	}
	if preview, err = s.leftOut().Check(ctx); err == nil {
		preview.NoData = true
		preview.Snapshot, err = record.Write(found{NoData: true})
	}
	return preview, err
}

// Start copies the data if there was any.
func (s copying) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	none, err := s.foundNone(p)
	if err != nil {
		return p, err
	}
	if !none {
		return s.Step.Start(ctx, p)
	}
	p.Result = &sluice.Result{NoData: true}
	return s.leftOut().Start(ctx, p)
}

// Observe is never needed.
func (s copying) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish cleans up if something was copied.
func (s copying) Finish(ctx context.Context, p sluice.Progress) error {
	if none, err := s.foundNone(p); none || err != nil {
		return err
	}
	return s.Step.Finish(ctx, p)
}

// Undo puts back what the copy replaced.
func (s copying) Undo(ctx context.Context, p sluice.Progress) error {
	if none, err := s.foundNone(p); none || err != nil {
		return err
	}
	return s.Step.Undo(ctx, p)
}

func (copying) foundNone(p sluice.Progress) (bool, error) {
	var f found
	err := record.Read(p.Snapshot, &f)
	return f.NoData, err
}
