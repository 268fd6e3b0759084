package data

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/deps"
)

// verifyData compares the target's live dataset with a baseline. It changes nothing.
type verifyData struct {
	dataset.Dataset
	sc sluice.StepContext
}

// NewVerifyData makes the step verifyData.
func NewVerifyData(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := sc.Step.VerifyData.Spec
	if spec.Engine == dataset.EngineFiles {
		return nil, sluice.Errorf(sluice.Unsupported, "the dataset %s has the engine %s, which cannot be compared",
			spec.Name, spec.Engine).WithHint("compare it in a runJob step").At(sc.Step.Pos)
	}
	if isLeftOut(sc, sc.Step.VerifyData.From) {
		return sluice.LeftOut{Why: "left out: there was no data of " + spec.Name + " to compare with"}, nil
	}
	if isMoved(d, spec) && sc.Step.VerifyData.Baseline == "migration" {
		return newVerifyVolumes(d, sc)
	}
	s, err := datasetIn(d, sc, spec, sc.Target)
	return &verifyData{s, sc}, err
}

// Check says what would be compared.
func (s *verifyData) Check(ctx context.Context) (sluice.Preview, error) {
	spec := s.sc.Step.VerifyData
	_, err := s.URI(ctx)
	return sluice.Preview{Notes: []string{"compares " + spec.Dataset + " with the " + spec.Baseline}}, err
}

// Start reads the live database and judges it.
func (s *verifyData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	spec := s.sc.Step.VerifyData
	was, err := checkpointOf(ctx, s.sc, s.Dataset, "", spec.From)
	if err != nil {
		return p, err
	}
	v, _, err := s.Verify(ctx, dataset.Question{Was: was, Mode: spec.Mode, Ignore: spec.Ignore},
		"reading "+s.Spec.Name+" of "+s.Target)
	if err != nil {
		return p, err
	}
	p.Result = &sluice.Result{Verification: &v, Checkpoint: was.ID}
	if !v.Passed {
		return p, sluice.Errorf(sluice.Failed, "%s of %s did not pass the verification: %s", s.Spec.Name, s.Target, v.Reason)
	}
	p.State, p.Message = sluice.Done, v.Reason
	return p, nil
}

// Observe is never needed.
func (s *verifyData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish cleans up what a crash may have left.
func (s *verifyData) Finish(ctx context.Context, _ sluice.Progress) error {
	return s.Scratch(dataset.ForComparison).Clean(ctx)
}

// Undo also only cleans up: nothing else was changed.
func (s *verifyData) Undo(ctx context.Context, p sluice.Progress) error { return s.Finish(ctx, p) }
