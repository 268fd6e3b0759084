package data

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/fingerprint"
	"github.com/sluice-cd/sluice/internal/step/deps"
)

// migrationsKept is how many checkpoints of a migrateData step stay.
const migrationsKept = 3

// migrateData restores a checkpoint of another target's dataset into this one. The version that wrote the copy opens
// it; the release changes it afterwards.
type migrateData struct {
	swap        // its request is for a checkpoint of the other target
	precautions dataset.Precautions
	spec        *sluice.MigrateData
	sc          sluice.StepContext
}

// NewMigrateData makes the step migrateData.
func NewMigrateData(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := sc.Step.MigrateData
	if spec.Source == nil {
		return nil, sluice.Errorf(sluice.Internal, "the plan does not say where %s of %s is", spec.Dataset, spec.From)
	}
	source := sluice.PlannedTarget{Name: spec.From, Account: spec.Source.Account, Namespace: spec.Source.Namespace}
	if isMoved(d, spec.Spec) {
		return newMigrateVolumes(d, sc, source)
	}
	from, err := datasetIn(d, sc, spec.Spec, source)
	if err != nil {
		return nil, err
	}
	to, err := datasetIn(d, sc, spec.Spec, sc.Target)
	if err != nil {
		return nil, err
	}
	r := requestFor(sc, from, "")
	r.Keep, r.Mask, r.Image, r.To = migrationsKept, spec.Mask, released(sc, to), &to
	return newCopying(sc, from, &migrateData{swap{to, r}, precautionsFor(d, sc, to), spec, sc}), nil
}

// Check says what would be copied, and remembers what is in the target.
func (s *migrateData) Check(ctx context.Context) (sluice.Preview, error) {
	f, err := s.request.Preview(ctx)
	if err != nil {
		return sluice.Preview{}, err
	}
	workload, err := s.request.Workload(ctx)
	if err != nil {
		return sluice.Preview{}, err
	}
	needed, err := s.request.Surroundings(ctx, workload)
	if err != nil {
		return sluice.Preview{}, err
	}
	notes, err := s.Room(ctx, needed)
	if err != nil {
		return sluice.Preview{}, err
	}
	f.Notes = append(append(f.Notes, notes...), precautionNotes(s.spec, s.Target)...)
	if f.Held, err = s.precautions.Inspect(ctx, needed); err != nil {
		return sluice.Preview{}, err
	}
	return s.preview(ctx, needed, f)
}

// Start makes the checkpoint, restores it and checks that it arrived completely.
func (s *migrateData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	r, before, err := recorded(s.request, p)
	if err != nil {
		return p, err
	}
	c, err := r.Take(ctx)
	if err != nil {
		return p, err
	}
	p.Result = &sluice.Result{Checkpoint: c.ID}
	kept, workload, err := s.Kept(c)
	if err != nil {
		return p, err
	}
	if err := s.precautions.Take(ctx, kept); err != nil {
		return p, err
	}
	in := dataset.Swap{Before: before, Workload: workload, Stopped: s.precautions.AwaitIdle}
	if err := s.SwapIn(ctx, c, in); err != nil {
		return p, err
	}
	v, now, err := s.Verify(ctx, dataset.Question{Was: c, Mode: fingerprint.Equal}, "reading what arrived in "+s.Target)
	if err != nil {
		return p, err
	}
	if fingerprint.Differ(c.Fingerprint, now, nil) {
		p.Result.Verification = &v
		return p, sluice.Errorf(sluice.Failed, "the data in %s differs from what was copied: %s", s.Target, v.Reason)
	}
	p.State = sluice.Done
	p.Message = fmt.Sprintf("%d documents of %s are in %s as they were at %s%s",
		dataset.Documents(now), s.request.Target, s.Target, c.TakenAt.UTC().Format("15:04:05"), pauseOf(c))
	if len(c.Masked) > 0 {
		p.Message += "; masked are " + strings.Join(c.Masked, ", ")
	}
	if len(s.spec.Suspend) > 0 {
		p.Message += "; suspended are " + strings.Join(s.spec.Suspend, ", ")
	}
	p.Message += s.request.DeleteOld(ctx)
	return p, nil
}

// Observe is never needed.
func (s *migrateData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}
