package engine

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// remembered is how many ended deployments of an application are looked through for what they applied.
const remembered = 50

// Inventory returns what the application's ended deployments applied to the target and left there, in an order in which
// it can be applied. Claims, namespaces and definitions of kinds are left out: data goes with them.
func Inventory(ctx context.Context, log sluice.Log, application, target string) ([]sluice.Ref, error) {
	list, err := log.Deployments(ctx, application)
	if err != nil {
		return nil, err
	}
	var objects []sluice.Object
	for _, d := range list[:min(len(list), remembered)] {
		state, err := Fold(d.ID, log.Read(ctx, d.ID, 0))
		if err != nil {
			return nil, err
		}
		for _, s := range state.Plan.Steps {
			if s.Target == target && s.Apply != nil && state.Target(target) == sluice.StatusSucceeded {
				objects = append(objects, s.Apply.Objects...)
			}
		}
	}
	var refs []sluice.Ref
	for _, o := range manifest.Order(objects) {
		if ref := o.Ref(); !holdsData(ref.Kind) && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func holdsData(kind string) bool {
	return slices.Contains([]string{"Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition"}, kind)
}
