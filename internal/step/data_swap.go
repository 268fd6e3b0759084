package step

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/sluice-cd/sluice"
)

// A swap replaces the content of a target's claims by a checkpoint, and puts it back.
type swap struct {
	dataset
	at place
}

// A swapImage is what was there before. An absent claim or workload is absent from it.
type swapImage struct {
	Claims   map[string]string `json:"claims"` // claim to its current generation
	Workload sluice.Object     `json:"workload,omitempty"`
	Ready    bool              `json:"ready"`            // whether the workload was
	Absent   []sluice.Ref      `json:"absent,omitempty"` // what the workload needs and the target does not have
}

func (w swap) generation() string { return "data-" + w.key }

// look reads what is there.
func (w swap) look(ctx context.Context) (swapImage, error) {
	i := swapImage{Claims: map[string]string{}}
	for _, claim := range w.spec.Claims {
		o, err := getOrNil(ctx, w.at.account, claimRef(w.at.namespace, claim))
		if err != nil {
			return i, err
		}
		if o == nil {
			continue
		}
		generation := o.Text("spec", "volumeName")
		if generation == "" {
			return i, sluice.Errorf(sluice.Unsupported, "the claim %s in %s is not bound to a volume yet, so nothing could be put back", claim, w.at.namespace).
				WithHint("wait until the claim is bound, or delete it")
		}
		i.Claims[claim] = generation
	}
	workload, err := w.workload(ctx, w.at)
	if workload != nil {
		i.Workload, i.Ready = bare(workload), isReady(workload)
	}
	return i, err
}

// preview returns the image for a step's Check, and what would be done. needed is what will be created where the
// target does not have it.
func (w swap) preview(ctx context.Context, needed []sluice.Object, notes []string) (sluice.Preview, error) {
	i, err := w.look(ctx)
	if err != nil {
		return sluice.Preview{}, err
	}
	for _, o := range needed {
		ref := o.Ref()
		ref.Namespace = w.at.namespace
		if ref.Kind == "PersistentVolumeClaim" || ref.String() == w.spec.Workload {
			continue
		}
		there, err := getOrNil(ctx, w.at.account, ref)
		if err != nil {
			return sluice.Preview{}, err
		}
		if there == nil {
			i.Absent = append(i.Absent, ref)
		}
	}
	raw, err := writeRecord(i)
	if err != nil {
		return sluice.Preview{}, err
	}
	var changes []sluice.Change
	for _, claim := range w.spec.Claims {
		outcome := sluice.Created
		if i.Claims[claim] != "" {
			outcome = sluice.Configured
		}
		changes = append(changes, sluice.Change{Object: claimRef("", claim).String(), Outcome: outcome})
	}
	return sluice.Preview{Changes: changes, Notes: notes, Snapshot: raw}, nil
}

// image reads what look recorded.
func (w swap) image(raw json.RawMessage) (swapImage, error) {
	var i swapImage
	return i, recall(raw, &i)
}

// in replaces the claims by the checkpoint and starts the workload.
func (w swap) in(ctx context.Context, c sluice.Checkpoint, workload sluice.Object) error {
	filled, err := w.stage(ctx, w.at, c, w.generation(), "restoring "+w.spec.Name+" into "+w.at.target)
	if err != nil {
		return err
	}
	w.say("replacing " + w.spec.Name + " of " + w.at.target)
	if err := w.end(ctx, w.at); err != nil {
		return err
	}
	for _, claim := range filled {
		if _, err := w.at.account.Volumes.Use(ctx, w.at.namespace, claim, w.generation()); err != nil {
			return err
		}
	}
	if err := w.surround(ctx, c); err != nil {
		return err
	}
	if workload == nil {
		return nil
	}
	return w.begin(ctx, w.at, workload)
}

// surround creates what the workload needs and the target does not have.
func (w swap) surround(ctx context.Context, c sluice.Checkpoint) error {
	objects, workload, err := w.kept(c, w.at.namespace)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if workload != nil && o.Ref() == workload.Ref() {
			continue
		}
		there, err := getOrNil(ctx, w.at.account, o.Ref())
		if err != nil {
			return err
		}
		if there != nil && !w.bareClaim(there) {
			continue
		}
		if _, _, err := w.at.account.Apply(ctx, o, false); err != nil {
			return err
		}
	}
	return nil
}

// bareClaim reports whether the object is a claim that came into being only when its volume was switched.
func (w swap) bareClaim(o sluice.Object) bool {
	return o.Text("kind") == "PersistentVolumeClaim" && o.Field("spec", "accessModes") == nil
}

// back puts everything back as the image has it. Where nothing was touched yet, nothing is.
func (w swap) back(ctx context.Context, raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	i, err := w.image(raw)
	if err != nil {
		return err
	}
	touched, err := w.touched(ctx, i)
	if err != nil {
		return err
	}
	if touched {
		if err := w.putBack(ctx, i); err != nil {
			return err
		}
	}
	for _, ref := range i.Absent {
		if err := w.at.account.Delete(ctx, ref); err != nil {
			return err
		}
	}
	return w.discard(ctx, i)
}

// discard takes away the generations that were staged, and the claims that there were not before: a volume may
// have been switched although its claim has no object yet.
func (w swap) discard(ctx context.Context, i swapImage) error {
	for _, claim := range w.spec.Claims {
		if i.Claims[claim] == "" {
			if err := w.at.account.Delete(ctx, claimRef(w.at.namespace, claim)); err != nil {
				return err
			}
		}
		if err := w.at.account.Volumes.Discard(ctx, w.at.namespace, claim, w.generation()); err != nil {
			return err
		}
	}
	return nil
}

// touched reports whether anything differs from the image.
func (w swap) touched(ctx context.Context, i swapImage) (bool, error) {
	now, err := w.look(ctx)
	if err != nil {
		return false, err
	}
	before, err := normal(i.Workload)
	if err != nil {
		return false, err
	}
	after, err := normal(now.Workload)
	if err != nil {
		return false, err
	}
	return !maps.Equal(i.Claims, now.Claims) || !reflect.DeepEqual(before, after) || i.Ready && !now.Ready, nil
}

// normal returns the object as it is after it was written and read.
func normal(o sluice.Object) (sluice.Object, error) {
	if o == nil {
		return nil, nil
	}
	raw, err := writeRecord(o)
	if err != nil {
		return nil, err
	}
	var n sluice.Object
	return n, recall(raw, &n)
}

func (w swap) putBack(ctx context.Context, i swapImage) error {
	w.say("putting " + w.spec.Name + " of " + w.at.target + " back")
	if err := w.end(ctx, w.at); err != nil {
		return err
	}
	for _, claim := range w.spec.Claims {
		before := i.Claims[claim]
		if before == "" {
			continue
		}
		if _, err := w.at.account.Volumes.Use(ctx, w.at.namespace, claim, before); err != nil {
			return err
		}
	}
	if i.Workload == nil {
		return nil
	}
	if i.Ready {
		return w.begin(ctx, w.at, i.Workload)
	}
	_, _, err := w.at.account.Apply(ctx, i.Workload, false)
	return err
}

// settle discards what was replaced: nobody can ask for it back any more.
func (w swap) settle(ctx context.Context, raw json.RawMessage) error {
	i, err := w.image(raw)
	if err != nil {
		return err
	}
	for claim, before := range i.Claims {
		err := w.at.account.Volumes.Discard(ctx, w.at.namespace, claim, before)
		if err != nil && sluice.ErrorCode(err) != sluice.Conflict { // it is current again: a later step put it back
			return err
		}
	}
	return nil
}
