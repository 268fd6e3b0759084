package step

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// migrateData restores a checkpoint of another target's dataset into this one. The copy is opened by the version
// that wrote it; what the release does to it comes after.
type migrateData struct {
	dataset
	from place
	swap swap
}

func newMigrateData(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := sc.Step.MigrateData
	if spec.Source == nil {
		return nil, sluice.Errorf(sluice.Internal, "the plan does not say where %s of %s is", spec.Dataset, spec.From)
	}
	s, err := newDataset(d, sc, spec.Spec)
	if err != nil {
		return nil, err
	}
	from, err := s.at(sluice.PlannedTarget{Name: spec.From, Account: spec.Source.Account, Namespace: spec.Source.Namespace})
	if err != nil {
		return nil, err
	}
	to, err := s.at(sc.Target)
	return &migrateData{s, from, swap{s, to}}, err
}

func (s *migrateData) taking() taking {
	return taking{dataset: s.dataset, from: s.from, id: s.id(s.sc.Step.ID, ""), keep: migrationsKept, mask: s.sc.Step.MigrateData.Mask}
}

// Check says what would be copied, and remembers what is in the target.
func (s *migrateData) Check(ctx context.Context) (sluice.Preview, error) {
	notes, err := s.taking().preview(ctx)
	if err != nil {
		return sluice.Preview{}, err
	}
	workload, err := s.workload(ctx, s.from)
	if err != nil {
		return sluice.Preview{}, err
	}
	needed, err := s.surroundings(ctx, s.from, workload)
	if err != nil {
		return sluice.Preview{}, err
	}
	return s.swap.preview(ctx, needed, append(notes, maskNotes(s.sc.Step.MigrateData.Mask)...))
}

// Start makes the checkpoint, restores it and makes sure that it arrived whole.
func (s *migrateData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	c, err := s.taking().take(ctx)
	if err != nil {
		return p, err
	}
	p.Result = &sluice.Result{Checkpoint: c.ID}
	_, workload, err := s.kept(c, s.swap.at.namespace)
	if err != nil {
		return p, err
	}
	if err := s.swap.in(ctx, c, workload); err != nil {
		return p, err
	}
	now, err := s.read(ctx, s.swap.at, "reading what arrived in "+s.swap.at.target)
	if err != nil {
		return p, err
	}
	if fingerprint.Differ(c.Fingerprint, now, nil) {
		return s.differs(ctx, p, c, now)
	}
	p.State = sluice.Done
	p.Message = fmt.Sprintf("%d documents of %s are in %s as they were at %s; the source stood still for %s",
		documents(now), s.from.target, s.swap.at.target, c.TakenAt.UTC().Format("15:04:05"), c.Pause.Round(time.Millisecond))
	if len(c.Masked) > 0 {
		p.Message += "; masked are " + strings.Join(c.Masked, ", ")
	}
	p.Message += s.taking().thin(ctx)
	return p, nil
}

// differs fails the step with what is not as it was copied.
func (s *migrateData) differs(ctx context.Context, p sluice.Progress, c sluice.Checkpoint, now sluice.Fingerprint) (sluice.Progress, error) {
	verification, err := s.judge(ctx, question{at: s.swap.at, was: c, now: now, mode: fingerprint.Equal})
	if err != nil {
		return p, err
	}
	p.Result.Verification = &verification
	return p, sluice.Errorf(sluice.Failed, "what arrived in %s is not what was copied: %s", s.swap.at.target, verification.Reason)
}

// Observe is never needed.
func (s *migrateData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish discards what the migration replaced.
func (s *migrateData) Finish(ctx context.Context, p sluice.Progress) error {
	if err := s.taking().clean(ctx); err != nil {
		return err
	}
	return s.swap.settle(ctx, p.Snapshot)
}

// Undo puts back what the target had.
func (s *migrateData) Undo(ctx context.Context, p sluice.Progress) error {
	if err := s.swap.back(ctx, p.Snapshot); err != nil {
		return err
	}
	if err := s.scratchAt(s.swap.at, compared).clean(ctx); err != nil {
		return err
	}
	return s.taking().undo(ctx)
}
