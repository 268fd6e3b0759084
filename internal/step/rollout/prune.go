package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// prune deletes what earlier deployments of the application brought to the target and this one does not, once
// nothing of the old version is left to use it.
type prune struct {
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
}

func NewPrune(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.Account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	return &prune{d, sc, a}, nil
}

// Check keeps what stands there still. What somebody else owns by now is left out.
func (s *prune) Check(ctx context.Context) (sluice.Preview, error) {
	img := image{At: s.deps.Now()}
	var preview sluice.Preview
	for _, ref := range s.sc.Step.Prune.Objects {
		was, err := object.Get(ctx, s.account, ref)
		if err != nil {
			return sluice.Preview{}, err
		}
		if was == nil || !isOurs(was) {
			continue
		}
		if err := img.add(ref, was, s.deps.Sealer); err != nil {
			return sluice.Preview{}, err
		}
		preview.Changes = append(preview.Changes, sluice.Change{Object: ref.String(), Outcome: sluice.Deleted})
	}
	var err error
	preview.Snapshot, err = record.Write(img)
	return preview, err
}

// isOurs reports whether Sluice applied the object. Where the account keeps no record of who did, nobody else can have.
func isOurs(o sluice.Object) bool {
	managers, kept := o.Field("metadata", "managedFields").([]any)
	return !kept || slices.ContainsFunc(managers, func(m any) bool {
		return object.Map(m)["manager"] == sluice.Manager && object.Map(m)["operation"] == "Apply"
	})
}

// Start deletes in the reverse of the order in which they were applied.
func (s *prune) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return p, orError(err, "prune was started without its image")
	}
	p.Changes = nil
	for _, b := range slices.Backward(img.Before) {
		if err := object.Delete(ctx, s.account, b.Ref); err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, sluice.Change{Object: b.Ref.String(), Outcome: sluice.Deleted})
	}
	p.State, p.Message = sluice.Done, fmt.Sprintf("%d objects that the release no longer has are deleted", len(img.Before))
	if len(img.Before) == 0 {
		p.Message = "nothing is left of earlier releases"
	}
	return p, nil
}

// Observe has nothing to wait for: what Start deleted is gone.
func (s *prune) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Done
	return p, nil
}

// Finish keeps it so.
func (s *prune) Finish(context.Context, sluice.Progress) error { return nil }

// Undo makes the objects again, in the order in which they can be applied, and waits for those that were ready. One that
// cannot be made does not keep the others from it; a Job would run again, so it stays away.
func (s *prune) Undo(ctx context.Context, p sluice.Progress) error {
	img, taken, err := takenImage(p)
	if err != nil || !taken {
		return err
	}
	r := newRestorer(s.deps, s.account, nil)
	var again []sluice.Ref
	var refused error
	for _, b := range img.Before {
		back, err := r.restore(ctx, b)
		if mayHeal(err) || err != nil && ctx.Err() != nil {
			return err
		}
		refused = errors.Join(refused, err)
		if back && b.Ready && b.Ref.Kind != "Job" {
			again = append(again, b.Ref)
		}
	}
	w := s.deps.Waiter(s.sc, s.account, s.deps.Now().Add(ready.DefaultTimeout))
	return errors.Join(refused, w.Ready(ctx, awaited(again)))
}
