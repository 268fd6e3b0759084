package dataset

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Before records a place before its data was swapped. It has no entry for an absent claim or workload.
type Before struct {
	Claims   map[string]string `json:"claims"`             // claim to its current generation
	Objects  []sluice.Object   `json:"objects,omitempty"`  // the claims; earlier versions of Sluice recorded none
	Workload sluice.Object     `json:"workload,omitempty"` // as it was read; earlier versions left out what clusters add
	Ready    bool              `json:"ready"`              // whether the workload was
	Absent   []sluice.Ref      `json:"absent,omitempty"`   // what the workload needs and the target does not have
	Source   *Before           `json:"source,omitempty"`   // the source of the copy, if it is stopped while it is cut
	Mover    string            `json:"mover,omitempty"`    // what copies the source; earlier versions recorded none
	Held     []sluice.Object   `json:"held,omitempty"`     // what precautions change; the values of Secrets are sealed
}

// A Swap says how data is replaced.
type Swap struct {
	Before   Before
	Workload sluice.Object               // what opens the new data; nil for nothing
	Stopped  func(context.Context) error // called between the end of the last pod and the swap; may be nil
}

func (d Dataset) swapped() string { return "data-" + d.Key }

// Inspect reads what SwapBack will need, and refuses what SwapIn could not replace. needed is what SwapIn will create
// if it is absent.
func (d Dataset) Inspect(ctx context.Context, needed []sluice.Object) (Before, error) {
	b, err := d.look(ctx)
	if err == nil {
		err = d.stoppable()
	}
	if err == nil {
		err = d.unshared(ctx)
	}
	if err != nil {
		return b, err
	}
	for _, o := range needed {
		ref := o.Ref()
		ref.Namespace = d.Place.Namespace
		if ref.Kind == "PersistentVolumeClaim" || ref.String() == d.Spec.Workload {
			continue
		}
		there, err := d.get(ctx, ref)
		if err != nil {
			return b, err
		}
		if there == nil {
			b.Absent = append(b.Absent, ref)
		}
	}
	return b, nil
}

func (d Dataset) look(ctx context.Context) (Before, error) {
	b := Before{Claims: map[string]string{}}
	for _, claim := range d.Spec.Claims {
		o, err := d.get(ctx, claimRef(d.Place.Namespace, claim))
		if err != nil {
			return b, err
		}
		if o == nil {
			continue
		}
		generation := o.Text("spec", "volumeName")
		if generation == "" {
			return b, sluice.Errorf(sluice.Unsupported,
				"the claim %s in %s is not bound to a volume yet, so nothing could be put back", claim, d.Place.Namespace).
				WithHint("wait until the claim is bound, or delete it")
		}
		b.Claims[claim] = generation
		b.Objects = append(b.Objects, bare(o))
	}
	workload, err := d.Workload(ctx)
	if workload != nil {
		b.Workload, b.Ready = workload, manifest.Status(workload).Phase == manifest.Ready
	}
	return b, err
}

// SwapIn replaces the data by the checkpoint and starts the workload. It fills the new volumes first, so that the
// workload is stopped as briefly as possible, and so that no volume is lost whatever stopping it deletes.
func (d Dataset) SwapIn(ctx context.Context, c sluice.Checkpoint, s Swap) error {
	claims, err := d.claims(ctx, c, s.Before.Objects)
	if err != nil {
		return err
	}
	message := "restoring " + d.Spec.Name + " into " + d.Target
	if err := d.stage(ctx, c, claims, d.swapped(), message); err != nil {
		return err
	}
	d.say("replacing " + d.Spec.Name + " of " + d.Target)
	if err := d.unshared(ctx); err != nil {
		return err
	}
	if err := d.Stop(ctx); err != nil {
		return err
	}
	if s.Stopped != nil {
		if err := s.Stopped(ctx); err != nil {
			return err
		}
	}
	if err := d.use(ctx, claims, d.swapped()); err != nil {
		return err
	}
	if err := d.surround(ctx, c); err != nil {
		return err
	}
	if s.Workload == nil {
		return nil
	}
	workload, replicas := fitted(s.Workload, s.Before.Workload)
	return d.start(ctx, workload, replicas)
}

// fitted returns the workload as it can be applied over the target's own, and how many pods it gets: as many as the
// target had, if it had any.
func fitted(workload, own sluice.Object) (sluice.Object, int) {
	replicas := workload.Number(1, "spec", "replicas")
	if own == nil || own.Ref().Kind != workload.Ref().Kind {
		return workload, replicas
	}
	workload = workload.Clone()
	for _, field := range []string{"selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"} {
		if v := own.Field("spec", field); v != nil {
			workload.Set(v, "spec", field)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(labelsOf(own))) {
		workload.Set(labelsOf(own)[label], "spec", "template", "metadata", "labels", label)
	}
	if n := own.Number(1, "spec", "replicas"); n > 0 {
		replicas = n
	}
	return workload, replicas
}

// labelsOf returns the labels by which the workload selects its pods.
func labelsOf(workload sluice.Object) map[string]any {
	labels, _ := workload.Field("spec", "selector", "matchLabels").(map[string]any)
	return labels
}

// surround creates what the workload needs and the target does not have.
func (d Dataset) surround(ctx context.Context, c sluice.Checkpoint) error {
	objects, workload, err := d.Kept(c)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if workload != nil && o.Ref() == workload.Ref() {
			continue
		}
		there, err := d.get(ctx, o.Ref())
		if err != nil {
			return err
		}
		if there != nil {
			continue
		}
		if _, _, err := d.Place.Account.Apply(ctx, o, false); err != nil {
			return err
		}
	}
	return nil
}

// SwapBack puts everything back as it was before. It does not touch what SwapIn has not touched.
func (d Dataset) SwapBack(ctx context.Context, b Before) error {
	if err := d.cancel(ctx, d.filling(d.swapped())); err != nil {
		return err
	}
	if b.Workload == nil {
		if err := d.remove(ctx); err != nil {
			return err
		}
	}
	if err := d.putClaimsBack(ctx, b); err != nil {
		return err
	}
	if err := d.lift(ctx, b.Held, "Secret"); err != nil {
		return err
	}
	if b.Workload != nil {
		if err := d.startAgain(ctx, b); err != nil {
			return err
		}
	}
	if err := d.lift(ctx, b.Held, "CronJob"); err != nil {
		return err
	}
	for _, ref := range b.Absent {
		if err := d.Place.Account.Delete(ctx, ref); err != nil {
			return err
		}
	}
	return d.discard(ctx, d.swapped())
}

// putClaimsBack stops the workload and gives every claim its generation of before, if one has another generation now.
// It deletes claims that were absent. Of such a claim a volume may have been switched although it has no object yet.
func (d Dataset) putClaimsBack(ctx context.Context, b Before) error {
	same, err := d.haveClaims(ctx, b)
	if err != nil {
		return err
	}
	if !same {
		d.say("putting " + d.Spec.Name + " of " + d.Target + " back")
		if err := d.Stop(ctx); err != nil {
			return err
		}
	}
	for _, claim := range d.Spec.Claims {
		if b.Claims[claim] == "" {
			if err := d.Place.Account.Delete(ctx, claimRef(d.Place.Namespace, claim)); err != nil {
				return err
			}
			continue
		}
		if same {
			continue
		}
		object, err := d.claimBefore(ctx, b, claim)
		if err != nil {
			return err
		}
		if err := d.use(ctx, []sluice.Object{object}, b.Claims[claim]); err != nil {
			return err
		}
	}
	return nil
}

// haveClaims reports whether every claim has the generation of before.
func (d Dataset) haveClaims(ctx context.Context, b Before) (bool, error) {
	for _, claim := range d.Spec.Claims {
		o, err := d.get(ctx, claimRef(d.Place.Namespace, claim))
		if err != nil || o.Text("spec", "volumeName") != b.Claims[claim] {
			return false, err
		}
	}
	return true, nil
}

// claimBefore returns the claim as it was before, or as it is if that was not recorded.
func (d Dataset) claimBefore(ctx context.Context, b Before, name string) (sluice.Object, error) {
	for _, o := range b.Objects {
		if o.Ref().Name == name {
			return o, nil
		}
	}
	return d.Place.Account.Get(ctx, claimRef(d.Place.Namespace, name))
}

// Settle discards the replaced data: it can no longer be asked for.
func (d Dataset) Settle(ctx context.Context, b Before) error {
	if err := d.cancel(ctx, d.filling(d.swapped())); err != nil {
		return err
	}
	for claim, generation := range b.Claims {
		err := d.Place.Account.Volumes.Discard(ctx, d.Place.Namespace, claim, generation)
		if err != nil && sluice.ErrorCode(err) != sluice.Conflict { // it is current again: a later step put it back
			return err
		}
	}
	return nil
}
