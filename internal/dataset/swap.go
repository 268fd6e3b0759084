package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Before records a place before its data was swapped. It has no entry for an absent claim or workload.
type Before struct {
	Claims   map[string]string `json:"claims"`            // claim to its current generation
	Objects  []sluice.Object   `json:"objects,omitempty"` // the claims; earlier versions of Sluice recorded none
	Workload sluice.Object     `json:"workload,omitempty"`
	Ready    bool              `json:"ready"`            // whether the workload was
	Absent   []sluice.Ref      `json:"absent,omitempty"` // what the workload needs and the target does not have
}

func (d Dataset) swapped() string { return "data-" + d.Key }

// Inspect reads what SwapBack will need. needed is what SwapIn will create if it is absent.
func (d Dataset) Inspect(ctx context.Context, needed []sluice.Object) (Before, error) {
	b, err := d.look(ctx)
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
		b.Workload, b.Ready = bare(workload), manifest.Status(workload).Phase == manifest.Ready
	}
	return b, err
}

// SwapIn replaces the data by the checkpoint and starts the workload, nil for none.
func (d Dataset) SwapIn(ctx context.Context, c sluice.Checkpoint, workload sluice.Object) error {
	if err := d.stage(ctx, c, d.swapped(), "restoring "+d.Spec.Name+" into "+d.Target); err != nil {
		return err
	}
	d.say("replacing " + d.Spec.Name + " of " + d.Target)
	if err := d.Stop(ctx); err != nil {
		return err
	}
	claims, err := d.claims(ctx, c)
	if err != nil {
		return err
	}
	if err := d.use(ctx, claims, d.swapped()); err != nil {
		return err
	}
	if err := d.surround(ctx, c); err != nil {
		return err
	}
	if workload == nil {
		return nil
	}
	return d.start(ctx, workload)
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
	touched, err := d.isTouched(ctx, b)
	if err != nil {
		return err
	}
	if touched {
		if err := d.putBack(ctx, b); err != nil {
			return err
		}
	}
	for _, ref := range b.Absent {
		if err := d.Place.Account.Delete(ctx, ref); err != nil {
			return err
		}
	}
	// A volume may have been switched although its claim has no object yet: such a claim is deleted too.
	for _, claim := range d.Spec.Claims {
		if b.Claims[claim] != "" {
			continue
		}
		if err := d.Place.Account.Delete(ctx, claimRef(d.Place.Namespace, claim)); err != nil {
			return err
		}
	}
	return d.discard(ctx, d.swapped())
}

// isTouched reports whether anything differs from before.
func (d Dataset) isTouched(ctx context.Context, b Before) (bool, error) {
	now, err := d.look(ctx)
	if err != nil {
		return false, err
	}
	was, err := json.Marshal(b.Workload)
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(now.Workload)
	return !maps.Equal(b.Claims, now.Claims) || !bytes.Equal(was, is) || b.Ready && !now.Ready, err
}

func (d Dataset) putBack(ctx context.Context, b Before) error {
	d.say("putting " + d.Spec.Name + " of " + d.Target + " back")
	if err := d.Stop(ctx); err != nil {
		return err
	}
	for _, claim := range d.Spec.Claims {
		if b.Claims[claim] == "" {
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
	if b.Workload == nil {
		return nil
	}
	if b.Ready {
		return d.start(ctx, b.Workload)
	}
	_, _, err := d.Place.Account.Apply(ctx, b.Workload, false)
	return err
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
