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
	return &checkpointData{r}, nil
}

// Check says what would be copied.
func (s *checkpointData) Check(ctx context.Context) (sluice.Preview, error) {
	f, err := s.request.Preview(ctx)
	if err != nil || f.Was == nil {
		return sluice.Preview{Notes: f.Notes}, err
	}
	raw, err := record.Write(dataset.Before{Source: f.Was})
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
	p.Message = fmt.Sprintf("%s: %d documents, %s in %d files, %s added%s",
		c.ID, dataset.Documents(c.Fingerprint), dataset.InBytes(c.Copy.Bytes), c.Copy.Files, dataset.InBytes(c.Copy.Added),
		pauseOf(c)) + fingerprint.Unread(c.Fingerprint) + s.request.DeleteOld(ctx)
	return p, nil
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
func (s *checkpointData) Finish(ctx context.Context, _ sluice.Progress) error {
	return s.request.Clean(ctx)
}

// Undo keeps a finished checkpoint, and starts the source again if it is still stopped.
func (s *checkpointData) Undo(ctx context.Context, p sluice.Progress) error {
	r, _, err := recorded(s.request, p)
	if err != nil {
		return err
	}
	return r.Undo(ctx)
}
