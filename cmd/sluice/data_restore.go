package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDataRestore(a *app) *cobra.Command {
	o := &runOptions{}
	target := ""
	cmd := &cobra.Command{
		Use: "restore CHECKPOINT", Short: "Put the data of a checkpoint back",
		Long: "Restore is a deployment with one step: it stops the workload, keeps a checkpoint of what is there, puts the data of the\n" +
			"checkpoint in place and starts the workload again. What was written since is in the checkpoint that was kept.",
		Example: "  sluice data restore 6921a0c4-5d1f0a9b3e-production\n  sluice data restore 6921a0c4-5d1f0a9b3e-production --target staging --yes",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.dataRestore(cmd.Context(), args[0], target, o) },
	}
	cmd.Flags().StringVarP(&target, "target", "t", "", "where to (default: where it was taken)")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "carry it out in the background and return at once")
	return cmd
}

func (a *app) dataRestore(ctx context.Context, arg, target string, o *runOptions) error {
	var c sluice.Checkpoint
	var p *sluice.Plan
	err := a.reading(ctx, func(store sluice.Store) (err error) {
		if c, err = findCheckpoint(ctx, store, arg); err != nil {
			return err
		}
		made, err := engine.Fold(c.Deployment, store.Read(ctx, c.Deployment, 0))
		if err != nil {
			return err
		}
		p, err = restorePlan(made.Plan, c, target)
		return err
	})
	if err != nil {
		return err
	}
	a.note("%s of %s becomes as it was at %s; what was written there since is kept in a checkpoint of its own",
		c.Dataset, p.Targets[0].Name, present.Moment(c.TakenAt))
	if err := a.confirm("Put it back?", o.yes); err != nil {
		return err
	}
	config, err := a.configuration("")
	if err != nil {
		return err
	}
	if err := service.CheckAccounts(p, config); err != nil {
		return err
	}
	return a.start(ctx, config, o, p)
}

// restorePlan is a plan of one step. Whoever starts it has agreed to the loss, so it is not asked for again.
func restorePlan(made *sluice.Plan, c sluice.Checkpoint, target string) (*sluice.Plan, error) {
	if target == "" {
		target = c.Target
	}
	where, ok := made.Target(target)
	if !ok {
		return nil, sluice.Errorf(sluice.NotFound, "there is no target %q", target).WithHint("the targets of that deployment are: %s", present.TargetNames(made))
	}
	spec, ok := datasetOf(made, c.Dataset)
	if !ok {
		return nil, sluice.Errorf(sluice.Internal, "deployment %s does not describe the dataset %s of its checkpoint", c.Deployment, c.Dataset)
	}
	p := &sluice.Plan{
		Application: c.Application, Description: fmt.Sprintf("put checkpoint %s back into %s", c.ID, target),
		Targets: []sluice.PlannedTarget{{Name: target, Account: where.Account, Namespace: where.Namespace, AfterFailure: "keep", RollbackClass: "C"}},
		Steps: []sluice.PlannedStep{{
			ID: sluice.StepID(target + "/before/0"), Target: target, Phase: sluice.PhaseBefore,
			StepSpec: sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{
				Dataset: c.Dataset, Checkpoint: c.ID, Spec: spec,
				AllowDataLoss: &sluice.AllowDataLoss{Writes: math.MaxInt32, Age: math.MaxInt32 * time.Second},
			}},
		}},
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "encode the plan: %w", err)
	}
	sum := sha256.Sum256(data)
	p.Digest = hex.EncodeToString(sum[:])
	return p, nil
}

// datasetOf finds the dataset's description in the steps of a plan.
func datasetOf(p *sluice.Plan, name string) (sluice.Dataset, bool) {
	for _, s := range p.Steps {
		for _, d := range datasets(s.StepSpec) {
			if d.Name == name {
				return d, true
			}
		}
	}
	return sluice.Dataset{}, false
}

func datasets(s sluice.StepSpec) []sluice.Dataset {
	switch {
	case s.CheckpointData != nil:
		return []sluice.Dataset{s.CheckpointData.Spec}
	case s.MigrateData != nil:
		return []sluice.Dataset{s.MigrateData.Spec}
	case s.RestoreData != nil:
		return []sluice.Dataset{s.RestoreData.Spec}
	case s.VerifyData != nil:
		return []sluice.Dataset{s.VerifyData.Spec}
	}
	return nil
}
