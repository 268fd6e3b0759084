package step

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

const (
	// listed bounds the keys that a comparison names per collection and kind.
	listed = 1000
	// compared tells the scratch of a comparison from that in which a copy is proved.
	compared = "c"
)

// verifyData compares the target's live dataset with a baseline. It changes nothing.
type verifyData struct {
	dataset
	at place
}

func newVerifyData(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	s, err := newDataset(d, sc, sc.Step.VerifyData.Spec)
	if err != nil {
		return nil, err
	}
	if s.spec.Engine == engineFiles {
		return nil, sluice.Errorf(sluice.Unsupported, "the dataset %s has the engine %s, which cannot be compared", s.spec.Name, engineFiles).
			WithHint("compare it in a runJob step").At(sc.Step.Pos)
	}
	at, err := s.at(sc.Target)
	return &verifyData{s, at}, err
}

// Check says what would be compared.
func (s *verifyData) Check(context.Context) (sluice.Preview, error) {
	spec := s.sc.Step.VerifyData
	return sluice.Preview{Notes: []string{"compares " + spec.Dataset + " with the " + spec.Baseline}}, nil
}

// Start reads the live database and judges it.
func (s *verifyData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	spec := s.sc.Step.VerifyData
	was, err := s.made(ctx, "", spec.From)
	if err != nil {
		return p, err
	}
	now, err := s.read(ctx, s.at, "reading "+s.spec.Name+" of "+s.at.target)
	if err != nil {
		return p, err
	}
	v, err := s.judge(ctx, question{at: s.at, was: was, now: now, mode: spec.Mode, ignore: spec.Ignore})
	if err != nil {
		return p, err
	}
	p.Result = &sluice.Result{Verification: &v, Checkpoint: was.ID}
	if !v.Passed {
		return p, sluice.Errorf(sluice.Failed, "%s of %s is not as it has to be: %s", s.spec.Name, s.at.target, v.Reason)
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
	return s.scratchAt(s.at, compared).clean(ctx)
}

// Undo cleans up too: nothing else was changed.
func (s *verifyData) Undo(ctx context.Context, p sluice.Progress) error {
	return s.Finish(ctx, p)
}

// made returns the named checkpoint, or the one that the step of this deployment made.
func (s dataset) made(ctx context.Context, id sluice.CheckpointID, from sluice.StepID) (sluice.Checkpoint, error) {
	if id == "" {
		id = orDefault(s.sc.Results[from].Checkpoint, s.id(from, ""))
	}
	c, err := s.deps.Catalogue.Checkpoint(ctx, id)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return c, sluice.Errorf(sluice.NotFound, "there is no checkpoint %s of the dataset %s", id, s.spec.Name).
			WithHint("see which there are with: sluice data list").At(s.sc.Step.Pos)
	}
	return c, err
}

// A question is what a judgment answers: whether the data at a place is as a checkpoint had it.
type question struct {
	at     place
	was    sluice.Checkpoint
	now    sluice.Fingerprint
	mode   string
	ignore []string
}

// judge compares. Only where the fingerprints differ is the checkpoint opened again, to find exact keys.
func (s dataset) judge(ctx context.Context, q question) (sluice.Verification, error) {
	var found sluice.Comparison
	if fingerprint.Differ(q.was.Fingerprint, q.now, q.ignore) {
		var err error
		if found, err = s.compare(ctx, q); err != nil {
			return sluice.Verification{}, err
		}
	}
	return fingerprint.Judge(fingerprint.Case{
		Dataset: s.spec.Name, Mode: q.mode, Was: q.was.Fingerprint, Now: q.now,
		Ignored: q.ignore, Comparison: found, Invariants: s.spec.Invariants,
	}), nil
}

// compare opens the checkpoint in a scratch beside the live database and narrows the difference to keys.
func (s dataset) compare(ctx context.Context, q question) (found sluice.Comparison, err error) {
	err = s.scratchAt(q.at, compared).open(ctx, q.was, func(aside place) error {
		return s.with(ctx, q.at, func(live sluice.Database) error {
			return s.with(ctx, aside, func(baseline sluice.Database) error {
				s.say("comparing " + s.spec.Name + " of " + q.at.target + " with the checkpoint")
				if ig, ok := live.(sluice.Ignorer); ok && len(q.ignore) > 0 {
					live = ig.Ignoring(q.ignore)
				}
				found, err = live.Compare(ctx, q.now, baseline, q.was.Fingerprint, listed)
				return err
			})
		})
	})
	return found, err
}
