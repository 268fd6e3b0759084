package dataset

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
)

// Room checks that the namespace has room for another generation of each claim, beside the current one. kept are the
// claims as they are where the data comes from: a claim that is absent here becomes like that.
func (d Dataset) Room(ctx context.Context, kept []sluice.Object) (notes []string, err error) {
	quotas, err := d.Place.Account.List(ctx, "v1", "ResourceQuota", d.Place.Namespace)
	if err != nil && sluice.ErrorCode(err) != sluice.Denied {
		return nil, err
	}
	need := map[string]resource.Quantity{}
	for _, from := range kept {
		if from.Ref().Kind != "PersistentVolumeClaim" {
			continue
		}
		there, err := d.get(ctx, claimRef(d.Place.Namespace, from.Ref().Name))
		if err != nil {
			return nil, err
		}
		if there == nil {
			if err := d.checkClass(ctx, from); err != nil {
				return nil, err
			}
			there = from
		} else if note := d.smaller(there, from); note != "" {
			notes = append(notes, note)
		}
		demand(need, there)
	}
	for _, q := range quotas {
		if err := d.fits(need, q); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

// demand adds what another generation of the claim counts for, by the names that quotas give it.
func demand(need map[string]resource.Quantity, claim sluice.Object) {
	const counted, storage = "persistentvolumeclaims", "requests.storage"
	amounts := map[string]resource.Quantity{counted: *resource.NewQuantity(1, resource.DecimalSI)}
	if size, ok := storageOf([]sluice.Object{claim}); ok {
		amounts[storage] = size
	}
	for name, amount := range amounts {
		names := []string{name}
		if class := claim.Text("spec", "storageClassName"); class != "" {
			names = append(names, class+".storageclass.storage.k8s.io/"+name)
		}
		for _, n := range names {
			sum := need[n]
			sum.Add(amount)
			need[n] = sum
		}
	}
}

// fits refuses what the quota does not leave room for.
func (d Dataset) fits(need map[string]resource.Quantity, quota sluice.Object) error {
	for _, name := range slices.Sorted(maps.Keys(need)) {
		amount := need[name]
		room, err := resource.ParseQuantity(quota.Text("status", "hard", name))
		if err != nil {
			continue
		}
		if used, err := resource.ParseQuantity(quota.Text("status", "used", name)); err == nil {
			room.Sub(used)
		}
		if amount.Cmp(room) > 0 {
			return sluice.Errorf(sluice.Exhausted,
				"%s in the namespace %s leaves %s of %s, and replacing %s of %s needs %s more for a while",
				quota.Ref(), d.Place.Namespace, room.String(), name, d.Spec.Name, d.Target, amount.String()).
				WithHint("raise the quota; the old volumes are kept beside the new ones until the target is committed").
				At(d.Spec.Pos)
		}
	}
	return nil
}

// checkClass refuses a claim that would be created with a StorageClass that the account does not have.
func (d Dataset) checkClass(ctx context.Context, claim sluice.Object) error {
	class := claim.Text("spec", "storageClassName")
	classes, ok := d.namesOf(ctx, "StorageClass", "")
	if class == "" || !ok || len(classes) == 0 || classes[class] {
		return nil
	}
	return sluice.Errorf(sluice.NotFound,
		"the claim %s would be created in %s with the StorageClass %s, which the account %s does not have",
		claim.Ref().Name, d.Target, class, d.Place.Name).
		WithHint("create the claim in the namespace %s first, with a class of that account", d.Place.Namespace).At(d.Spec.Pos)
}

// smaller warns of a claim that can hold less than the one that is copied.
func (d Dataset) smaller(claim, from sluice.Object) string {
	has, ok := storageOf([]sluice.Object{claim})
	wants, known := storageOf([]sluice.Object{from})
	if !ok || !known || has.Cmp(wants) >= 0 {
		return ""
	}
	return fmt.Sprintf("warning: the claim %s of %s has %s, and the one that is copied has %s",
		claim.Ref().Name, d.Target, has.String(), wants.String())
}
