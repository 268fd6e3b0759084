package data

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/fingerprint"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// checkpointData keeps a proven copy of the target's dataset. It changes nothing in the target.
type checkpointData struct {
	request dataset.Request
	sc      sluice.StepContext
}

// NewCheckpointData makes the step checkpointData.
func NewCheckpointData(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := sc.Step.CheckpointData
	from, err := datasetIn(d, sc, spec.Spec, sc.Target)
	if err != nil {
		return nil, err
	}
	r := requestFor(sc, from, "")
	r.Keep, r.TTL, r.Image = spec.Keep, spec.TTL, released(sc, r.Dataset)
	return newCopying(sc, from, &checkpointData{r, sc}), nil
}

// Check says what would be copied.
func (s *checkpointData) Check(ctx context.Context) (sluice.Preview, error) {
	f, err := s.request.Preview(ctx)
	if err != nil {
		return sluice.Preview{Notes: f.Notes}, err
	}
	raw, err := record.Write(dataset.Before{Source: f.Was, Mover: f.Mover})
	return sluice.Preview{Notes: f.Notes, Snapshot: raw}, err
}

// Start makes the checkpoint.
func (s *checkpointData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	r, _, err := recorded(s.request, p)
	if err != nil {
		return p, err
	}
	c, err := r.Take(ctx)
	if err != nil {
		return p, err
	}
	p.State, p.Result = sluice.Done, &sluice.Result{Checkpoint: c.ID}
	p.Message = fmt.Sprintf("%s: %d documents, %s%s", c.ID, dataset.Documents(c.Fingerprint), held(c.Copy), pauseOf(c)) +
		fingerprint.Unread(c.Fingerprint) + s.request.DeleteOld(ctx)
	return p, nil
}

// held says how much the copy holds, and where if that is not the repository.
func held(c sluice.Copy) string {
	if c.InStorage() {
		return fmt.Sprintf("kept as %d snapshots in the storage of the claims", len(c.Snapshots))
	}
	return fmt.Sprintf("%s in %d files, %s added", dataset.InBytes(c.Bytes), c.Files, dataset.InBytes(c.Added))
}

// pauseOf says how long the source stood still, if that is known.
func pauseOf(c sluice.Checkpoint) string {
	if c.Pause == 0 {
		return ""
	}
	return "; the source stood still for " + c.Pause.Round(time.Millisecond).String()
}

// Observe is never needed.
func (s *checkpointData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish cleans up what a crash may have left.
func (s *checkpointData) Finish(ctx context.Context, p sluice.Progress) error {
	r, _, err := recorded(s.request, p)
	if err != nil {
		return err
	}
	return r.Clean(ctx)
}

// Undo keeps a finished checkpoint, and starts the source again if it is still stopped.
func (s *checkpointData) Undo(ctx context.Context, p sluice.Progress) error {
	r, _, err := recorded(s.request, p)
	if err != nil {
		return err
	}
	return r.Undo(ctx)
}
