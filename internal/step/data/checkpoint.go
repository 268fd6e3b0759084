package data

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/deps"
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
	r.Keep, r.TTL = spec.Keep, spec.TTL
	return &checkpointData{r}, nil
}

// Check says what would be copied.
func (s *checkpointData) Check(ctx context.Context) (sluice.Preview, error) {
	notes, err := s.request.Preview(ctx)
	return sluice.Preview{Notes: notes}, err
}

// Start makes the checkpoint.
func (s *checkpointData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	c, err := s.request.Take(ctx)
	if err != nil {
		return p, err
	}
	p.State, p.Result = sluice.Done, &sluice.Result{Checkpoint: c.ID}
	p.Message = fmt.Sprintf("%s: %d documents, %s in %d files, %s added; the source stood still for %s",
		c.ID, dataset.Documents(c.Fingerprint), inBytes(c.Copy.Bytes), c.Copy.Files, inBytes(c.Copy.Added),
		c.Pause.Round(time.Millisecond)) + s.request.DeleteOld(ctx)
	return p, nil
}

// inBytes writes a size for people.
func inBytes(n int64) string {
	const kibi = 1024
	if n < kibi {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for ; f >= kibi && unit < 4; unit++ {
		f /= kibi
	}
	return fmt.Sprintf("%.1f %ciB", f, " KMGT"[unit])
}

// Observe is never needed.
func (s *checkpointData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish cleans up what a crash may have left.
func (s *checkpointData) Finish(ctx context.Context, _ sluice.Progress) error {
	return s.request.Clean(ctx)
}

// Undo keeps a finished checkpoint.
func (s *checkpointData) Undo(ctx context.Context, _ sluice.Progress) error {
	return s.request.Undo(ctx)
}
