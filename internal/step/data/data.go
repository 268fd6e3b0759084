// Package data holds the steps that act on datasets. Package dataset does the work. A step derives the names of what it
// makes from its deployment and id, records what undo needs, and reports the result.
//
// Start reading at [NewCheckpointData].
package data

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/render"
	"github.com/sluice-cd/sluice/internal/step/sibling"
	"github.com/sluice-cd/sluice/internal/template"
)

// datasetIn returns the dataset of the step as it is in a target whose account can copy volumes.
func datasetIn(
	d deps.Deps, sc sluice.StepContext, spec sluice.Dataset, t sluice.PlannedTarget,
) (dataset.Dataset, error) {
	s, err := placed(d, sc, spec, t)
	if err != nil {
		return s, err
	}
	if s.Place.Account.Volumes == nil {
		return dataset.Dataset{}, sluice.Errorf(sluice.Unsupported, "the account %s cannot copy the volumes of namespace %s",
			t.Account, t.Namespace).
			WithHint("remove the steps of the dataset %s from this target, or let a webhook move its data", spec.Name).
			At(sc.Step.Pos)
	}
	return s, s.Check()
}

// placed returns the dataset of the step as it is in a target.
func placed(
	d deps.Deps, sc sluice.StepContext, spec sluice.Dataset, t sluice.PlannedTarget,
) (dataset.Dataset, error) {
	a, err := d.AccountFor(sc, t.Account)
	if err != nil {
		return dataset.Dataset{}, err
	}
	place := sluice.Place{Name: t.Account, Account: a, Namespace: cmp.Or(t.Namespace, "default")}
	s := dataset.Dataset{
		Tools: dataset.Tools{
			Movers: d.Movers, Databases: d.Databases, Catalogue: d.Catalogue, Sealer: d.Sealer, MaskKey: d.MaskKey, Now: d.Now,
			Beside: d.Beside,
		},
		Spec: spec, Place: place, Target: t.Name, Key: dataset.Key(sc.Deployment, sc.Step.ID), Report: sc.Report,
		Deployment: sc.Deployment, Step: sc.Step.ID, Owner: sc.StartedBy.Name,
		URI: func(ctx context.Context) (string, error) {
			return render.For(d, sc, nil).Text(ctx, template.Parse(spec.URI), template.Plain)
		},
		Ready: func(ctx context.Context, a sluice.Account, workload sluice.Ref) error {
			deadline := d.Now().Add(cmp.Or(sibling.Apply(sc).Timeout, ready.DefaultTimeout))
			return d.Waiter(sc, a, deadline).Ready(ctx, []sluice.Ref{workload})
		},
	}
	if sc.Plan != nil {
		s.Application = sc.Plan.Application
	}
	return s, nil
}

// requestFor returns the request for the checkpoint that the step makes; suffix distinguishes several of one step.
func requestFor(sc sluice.StepContext, from dataset.Dataset, suffix string) dataset.Request {
	r := dataset.Request{
		Dataset: from, ID: dataset.CheckpointID(sc.Deployment, sc.Step.ID, suffix), Since: sc.StartedAt,
	}
	if sc.Plan == nil {
		return r
	}
	r.Needed = func(id sluice.CheckpointID) bool {
		return slices.ContainsFunc(sc.Plan.Steps, func(s sluice.PlannedStep) bool {
			return s.RestoreData != nil && s.RestoreData.Checkpoint == id
		})
	}
	return r
}

// checkpointOf returns the named checkpoint, or the one that the step of this deployment made.
func checkpointOf(
	ctx context.Context, sc sluice.StepContext, s dataset.Dataset, id sluice.CheckpointID, from sluice.StepID,
) (sluice.Checkpoint, error) {
	id = cmp.Or(id, sc.Results[from].Checkpoint, dataset.CheckpointID(sc.Deployment, from, ""))
	c, err := s.Catalogue.Checkpoint(ctx, id)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return c, sluice.Errorf(sluice.NotFound, "there is no checkpoint %s of the dataset %s", id, s.Spec.Name).
			WithHint("see which there are with: sluice data list").At(sc.Step.Pos)
	}
	return c, err
}

// released returns the image that the target's release gives the dataset's workload, "" if it gives none.
func released(sc sluice.StepContext, d dataset.Dataset) string {
	workload, err := sluice.ParseRef(d.Spec.Workload, d.Place.Namespace)
	if err != nil {
		return ""
	}
	for _, o := range sibling.Apply(sc).Objects {
		ref := o.Ref()
		ref.Namespace = workload.Namespace
		if ref == workload {
			return dataset.ImageOf(o)
		}
	}
	return ""
}
