package data

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/refusal"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// Vet finds data that cannot be copied.
func (s *checkpointData) Vet(ctx context.Context) (sluice.Preview, error) {
	p, err := s.Check(ctx)
	return p, certain(s.sc, err, s.request.Dataset)
}

// Vet finds data that cannot be copied, or not into the target.
func (s *migrateData) Vet(ctx context.Context) (sluice.Preview, error) {
	p, err := s.Check(ctx)
	return p, certain(s.sc, err, s.request.Dataset, s.Dataset)
}

// Vet finds a database whose address is not known.
func (s *verifyData) Vet(ctx context.Context) (sluice.Preview, error) { return s.Check(ctx) }

// certain returns err unless something is missing that an earlier step may still bring to one of the datasets.
func certain(sc sluice.StepContext, err error, in ...dataset.Dataset) error {
	mayCome := func(d dataset.Dataset) bool {
		brings := func(s sluice.PlannedStep) bool { return mayBring(s, d) }
		return slices.ContainsFunc(sibling.EarlierOn(sc, d.Place.Name), brings)
	}
	if refusal.IsMissing(err) && slices.ContainsFunc(in, mayCome) {
		return nil
	}
	return err
}

// mayBring reports whether the step may create what belongs to the dataset.
func mayBring(s sluice.PlannedStep, d dataset.Dataset) bool {
	switch {
	case s.RunJob != nil, s.RunWebhook != nil:
		return true
	case s.MigrateData != nil:
		return s.MigrateData.Dataset == d.Spec.Name
	case s.Apply != nil:
		return slices.ContainsFunc(s.Apply.Objects, func(o sluice.Object) bool { return belongs(o.Ref(), d) })
	}
	return false
}

// belongs reports whether the object is the dataset's workload or one of its claims.
func belongs(ref sluice.Ref, d dataset.Dataset) bool {
	if ref.Namespace != d.Place.Namespace {
		return false
	}
	isClaim := ref.Kind == "PersistentVolumeClaim" && slices.Contains(d.Spec.Claims, ref.Name)
	return isClaim || ref.String() == d.Spec.Workload
}
