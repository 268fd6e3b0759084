package data

import (
	"context"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/deps"
)

// verifyVolumes compares the target's live dataset with what migrateVolumes read of it. It changes nothing.
type verifyVolumes struct {
	dataset.Dataset
	sc sluice.StepContext
}

// newVerifyVolumes makes the step verifyData for volumes that came without a copy.
func newVerifyVolumes(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := sc.Step.VerifyData
	for _, name := range spec.Ignore {
		if strings.Contains(name, ".") {
			return nil, sluice.Errorf(sluice.Unsupported,
				"the field %s cannot be ignored: the mover %s leaves no copy to compare with", name, spec.Spec.Mover).
				WithHint("ignore the whole collection, or verify with the baseline checkpoint").At(sc.Step.Pos)
		}
	}
	s, err := placed(d, sc, spec.Spec, sc.Target)
	if err != nil {
		return nil, err
	}
	return &verifyVolumes{s, sc}, s.CheckEngine()
}

// Check says what would be compared.
func (s *verifyVolumes) Check(context.Context) (sluice.Preview, error) {
	spec := s.sc.Step.VerifyData
	return sluice.Preview{Notes: []string{"compares " + spec.Dataset + " with what arrived; " +
		"if it differs, nobody can say in which documents"}}, nil
}

// Start reads the live database and judges it.
func (s *verifyVolumes) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	spec := s.sc.Step.VerifyData
	was := s.sc.Results[spec.From].Baseline
	if was == nil {
		return p, sluice.Errorf(sluice.NotFound, "the step %s did not read what arrived", spec.From).At(s.sc.Step.Pos)
	}
	now, err := s.Read(ctx, "reading "+s.Spec.Name+" of "+s.Target)
	if err != nil {
		return p, err
	}
	v := s.JudgeAlone(*was, now, spec.Ignore)
	p.Result = &sluice.Result{Verification: &v}
	if !v.Passed {
		return p, sluice.Errorf(sluice.Failed, "%s of %s did not pass the verification: %s", s.Spec.Name, s.Target, v.Reason)
	}
	p.State, p.Message = sluice.Done, v.Reason
	return p, nil
}

// Observe is never needed.
func (s *verifyVolumes) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish does nothing.
func (s *verifyVolumes) Finish(context.Context, sluice.Progress) error { return nil }

// Undo does nothing.
func (s *verifyVolumes) Undo(context.Context, sluice.Progress) error { return nil }
