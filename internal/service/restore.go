package service

import (
	"cmp"
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
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
	where, err := whereIs(ctx, store, cmp.Or(target, c.Target), made.Plan)
	if err != nil {
		return nil, c, err
	}
	data, err := restoring(ctx, store, c, made.Plan, by)
	if err != nil {
		return nil, c, err
	}
	p := plan.Restore(c, where, data)
	p.Rehearsal = made.Plan.Rehearsal
	return p, c, nil
}

// whereIs returns the target as it runs now. One that runs nothing is where the plan made has it.
func whereIs(ctx context.Context, log sluice.Log, target string, made *sluice.Plan) (sluice.PlannedTarget, error) {
	h, err := history.Read(ctx, log, made.Application, made.Rehearsal != nil, func(h *history.History) bool {
		return len(h.Target(target)) > 0
	})
	if err != nil {
		return sluice.PlannedTarget{}, err
	}
	if now, ok := h.Current(target); ok {
		made = now.Plan
	}
	where, ok := made.Target(target)
	if !ok {
		return where, sluice.Errorf(sluice.NotFound, "there is no target %q", target).
			WithHint("the targets of that deployment are: %s", plan.TargetNames(made))
	}
	return where, nil
}

// restoring declares that the checkpoint is put back into its dataset. The dataset is as the plan now describes it, or
// else as it was described when the checkpoint was taken.
func restoring(
	ctx context.Context, log sluice.Log, c sluice.Checkpoint, now *sluice.Plan, by sluice.Actor,
) (sluice.RestoreData, error) {
	made, err := engine.Fold(c.Deployment, log.Read(ctx, c.Deployment, 0))
	if err != nil {
		return sluice.RestoreData{}, err
	}
	if (made.Plan.Rehearsal != nil) != (now.Rehearsal != nil) {
		return sluice.RestoreData{}, sluice.Errorf(sluice.Invalid,
			"either the checkpoint %s or the release is of a rehearsal, but not both", c.ID).
			WithHint("see which checkpoints there are with: sluice data list")
	}
	for _, p := range []*sluice.Plan{now, made.Plan} {
		if spec, ok := plan.DatasetOf(p, c.Dataset); ok {
			return sluice.RestoreData{Dataset: c.Dataset, Checkpoint: c.ID, Spec: spec, Consent: &by}, nil
		}
	}
	return sluice.RestoreData{}, sluice.Errorf(sluice.Internal,
		"deployment %s does not describe the dataset %s of its checkpoint", c.Deployment, c.Dataset)
}
