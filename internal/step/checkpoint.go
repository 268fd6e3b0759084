package step

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
)

// checkpointData keeps a proven copy of the target's dataset. It changes nothing in the target.
type checkpointData struct {
	dataset
	from place
}

func newCheckpointData(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	s, err := newDataset(d, sc, sc.Step.CheckpointData.Spec)
	if err != nil {
		return nil, err
	}
	from, err := s.at(sc.Target)
	return &checkpointData{s, from}, err
}

func (s *checkpointData) taking() taking {
	spec := s.sc.Step.CheckpointData
	return taking{dataset: s.dataset, from: s.from, id: s.id(s.sc.Step.ID, ""), keep: spec.Keep, ttl: spec.TTL}
}

// Check says what would be copied.
func (s *checkpointData) Check(ctx context.Context) (sluice.Preview, error) {
	notes, err := s.taking().preview(ctx)
	return sluice.Preview{Notes: notes}, err
}

// preview makes sure that what is to be copied exists.
func (t taking) preview(ctx context.Context) ([]string, error) {
	var notes []string
	for _, claim := range t.spec.Claims {
		o, err := t.from.account.Get(ctx, claimRef(t.from.namespace, claim))
		if sluice.ErrorCode(err) == sluice.NotFound {
			return nil, sluice.Errorf(sluice.NotFound, "the dataset %s of %s has no claim %s in the namespace %s", t.spec.Name, t.from.target, claim, t.from.namespace).
				WithHint("deploy the database first, or correct datasets.%s.claims", t.spec.Name).At(t.spec.Pos)
		}
		if err != nil {
			return nil, err
		}
		size := orDefault(o.Text("status", "capacity", "storage"), o.Text("spec", "resources", "requests", "storage"))
		notes = append(notes, fmt.Sprintf("copies the claim %s (%s) of %s", claim, orDefault(size, "size not known"), t.from.target))
	}
	workload, err := t.workload(ctx, t.from)
	if err != nil {
		return nil, err
	}
	if workload == nil && t.spec.Engine != engineFiles {
		return nil, t.noWorkload()
	}
	return notes, nil
}

// Start makes the checkpoint.
func (s *checkpointData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	t := s.taking()
	c, err := t.take(ctx)
	if err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Done, summary(c)+t.thin(ctx)
	p.Result = &sluice.Result{Checkpoint: c.ID}
	return p, nil
}

// summary says what a checkpoint holds.
func summary(c sluice.Checkpoint) string {
	return fmt.Sprintf("%s: %d documents, %s in %d files, %s added; the source stood still for %s",
		c.ID, documents(c.Fingerprint), inBytes(c.Copy.Bytes), c.Copy.Files, inBytes(c.Copy.Added), c.Pause.Round(time.Millisecond))
}

func documents(f sluice.Fingerprint) int64 {
	var n int64
	for _, c := range f.Collections {
		n += c.Count
	}
	return n
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
	return s.taking().clean(ctx)
}

// Undo keeps a finished checkpoint.
func (s *checkpointData) Undo(ctx context.Context, _ sluice.Progress) error {
	return s.taking().undo(ctx)
}
