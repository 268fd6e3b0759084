package service

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
)

// PlanRestore returns the plan that puts a checkpoint back into a target, by default the one from which it was taken.
// by consents to the loss of what was written since, even if it cannot be counted; the current data is saved in a
// checkpoint first. Nothing is changed. NotFound: there is no such checkpoint or target.
func PlanRestore(
	ctx context.Context, store sluice.Store, checkpoint, target string, by sluice.Actor,
) (*sluice.Plan, sluice.Checkpoint, error) {
	list, err := store.Checkpoints(ctx, "")
	if err != nil {
		return nil, sluice.Checkpoint{}, err
	}
	c, err := FindCheckpoint(list, checkpoint)
	if err != nil {
		return nil, c, err
	}
	made, err := engine.Fold(c.Deployment, store.Read(ctx, c.Deployment, 0))
	if err != nil {
		return nil, c, err
	}
	if target == "" {
		target = c.Target
	}
	where, ok := made.Plan.Target(target)
	if !ok {
		return nil, c, sluice.Errorf(sluice.NotFound, "there is no target %q", target).
			WithHint("the targets of that deployment are: %s", plan.TargetNames(made.Plan))
	}
	data, err := restoring(made.Plan, c, by)
	if err != nil {
		return nil, c, err
	}
	return plan.Restore(c, where, data), c, nil
}

// restoring declares that the checkpoint is put back. made is a plan that uses its dataset.
func restoring(made *sluice.Plan, c sluice.Checkpoint, by sluice.Actor) (sluice.RestoreData, error) {
	spec, ok := plan.DatasetOf(made, c.Dataset)
	if !ok {
		return sluice.RestoreData{}, sluice.Errorf(sluice.Internal,
			"deployment %s does not describe the dataset %s of its checkpoint", c.Deployment, c.Dataset)
	}
	return sluice.RestoreData{Dataset: c.Dataset, Checkpoint: c.ID, Spec: spec, Consent: &by}, nil
}
