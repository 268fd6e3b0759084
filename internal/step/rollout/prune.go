package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// prune deletes what earlier deployments of the application applied to the target and this one does not, once no pod of
// the old version is left to use it.
type prune struct {
	target
	atOnce
}

// NewPrune returns the step that deletes what the release no longer has.
func NewPrune(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	t, err := newTarget(d, sc)
	return &prune{target: t}, err
}

// Check records the objects that still exist, without those that somebody else owns by now.
func (s *prune) Check(ctx context.Context) (preview sluice.Preview, err error) {
	snap := snapshot{At: s.deps.Now()}
	for _, ref := range s.sc.Step.Prune.Objects {
		was, err := object.Get(ctx, s.account, ref)
		if err != nil {
			return sluice.Preview{}, err
		}
		if was == nil || !s.isApplied(was) {
			continue
		}
		if others := was.AppliedByOthers(s.application()); len(others) > 0 {
			preview.Notes = append(preview.Notes, ref.String()+" stays: it belongs to application "+others[0]+" too")
			continue
		}
		if err := snap.add(ref, was, s.deps.Sealer); err != nil {
			return sluice.Preview{}, err
		}
		preview.Changes = append(preview.Changes, sluice.Change{Object: ref.String(), Outcome: sluice.Deleted})
	}
	preview.Snapshot, err = record.Write(snap)
	return preview, err
}

// isApplied reports whether the application applied the object, or an earlier version of Sluice did. If the account
// does not record that, only Sluice applies objects.
func (s *prune) isApplied(o sluice.Object) bool {
	_, kept := o.Field("metadata", "managedFields").([]any)
	own := sluice.ManagerOf(s.application())
	return !kept || slices.ContainsFunc(o.List("metadata", "managedFields"), func(m sluice.Object) bool {
		return (m["manager"] == own || m["manager"] == sluice.Manager) && m["operation"] == "Apply"
	})
}

// Start deletes in the reverse of the order in which they were applied.
func (s *prune) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	snap, err := s.startedWith(p)
	if err != nil {
		return p, err
	}
	p.Changes = nil
	for _, b := range slices.Backward(snap.Before) {
		if err := object.Delete(ctx, s.account, b.Ref); err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, sluice.Change{Object: b.Ref.String(), Outcome: sluice.Deleted})
	}
	n := len(snap.Before)
	p.State, p.Message = sluice.Done, fmt.Sprintf("%d objects that the release no longer has are deleted", n)
	if n == 0 {
		p.Message = "nothing is left of earlier releases"
	}
	return p, nil
}

// Undo makes the objects again, in the order in which they can be applied, and waits for those that were ready. An
// object that cannot be made does not prevent it from making the others. It does not make Jobs, which would run again.
func (s *prune) Undo(ctx context.Context, p sluice.Progress) error {
	snap, taken, err := readSnapshot(p)
	if err != nil || !taken {
		return err
	}
	r := s.newRestorer(nil)
	again, err := r.restoreAll(ctx, slices.All(snap.Before), func(b before) (bool, error) { return r.restore(ctx, b) })
	if err != nil {
		return err
	}
	return errors.Join(r.refused, s.newWaiter(s.deps.Now(), 0).Ready(ctx, awaited(again)))
}
