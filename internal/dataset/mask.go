package dataset

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// rawID names the copy of the source. If it is to be masked, only the masking ever opens it.
func (r Request) rawID() string {
	if len(r.Mask) > 0 {
		return string(r.ID) + "-unmasked"
	}
	return string(r.ID)
}

// masked makes the masked copy of a checkpoint. raw, the copy as the source has it, is opened in the scratch beside the
// source, masked there, and copied again. The result is opened anew, read whole, and compared, without the masked
// fields, with what was read before. Nothing else ever opens raw, which is deleted afterwards. A call that was
// interrupted begins again with raw, so nothing is masked twice.
func (r Request) masked(ctx context.Context, raw sluice.Checkpoint) (sluice.Checkpoint, error) {
	c := raw
	c.Masked = r.Mask.Rewritten()
	var before sluice.Fingerprint
	err := r.Scratch("").Open(ctx, raw, func(opened Dataset) (err error) {
		if before, err = r.readUnmasked(ctx, opened, "reading "+r.Spec.Name+" without the masked fields"); err != nil {
			return err
		}
		if err := r.rewrite(ctx, opened); err != nil {
			return err
		}
		c.Copy, err = r.copyScratch(ctx, opened)
		return err
	})
	if err != nil {
		return c, err
	}
	return c, r.Scratch("").Open(ctx, c, func(opened Dataset) error {
		after, err := r.readUnmasked(ctx, opened, "comparing the fields that are not masked")
		if err != nil {
			return err
		}
		if fingerprint.Differ(before, after, nil) {
			return sluice.Errorf(sluice.Failed, "masking %s changed more than the fields that it names: %s",
				r.Spec.Name, strings.Join(differing(before, after), ", ")).
				WithHint("something in the copy changes documents, such as an index that lets them expire")
		}
		c.Fingerprint, err = opened.Read(ctx, "reading the masked copy of "+r.Spec.Name)
		return err
	})
}

// readUnmasked reads the database without the fields that are rewritten.
func (r Request) readUnmasked(ctx context.Context, opened Dataset, message string) (f sluice.Fingerprint, err error) {
	err = opened.with(ctx, func(db sluice.Database) error {
		ig, ok := db.(sluice.Ignorer)
		if !ok {
			return r.cannotMask()
		}
		f, err = ig.Ignoring(r.Mask.Rewritten()).Fingerprint(ctx, nil, r.say(message))
		return err
	})
	return f, err
}

// rewrite masks the database, and shows how fast it goes.
func (r Request) rewrite(ctx context.Context, opened Dataset) error {
	if len(r.MaskKey) == 0 {
		return sluice.Errorf(sluice.Internal, "there is no key to mask with")
	}
	message, began := "masking "+r.Spec.Name, r.Now()
	r.say(message)
	pace := func(a sluice.Amount) {
		text := message
		if spent := r.Now().Sub(began); spent >= time.Second {
			text = fmt.Sprintf("%s (%.0f %s/s)", message, float64(a.Done)/spent.Seconds(), a.Unit)
		}
		r.Report(sluice.Progress{State: sluice.Running, Message: text, Amount: &a})
	}
	return opened.with(ctx, func(db sluice.Database) error {
		masker, ok := db.(sluice.Masker)
		if !ok {
			return r.cannotMask()
		}
		_, err := masker.Mask(ctx, r.Mask, r.MaskKey, pace)
		return err
	})
}

func (r Request) cannotMask() error {
	return sluice.Errorf(sluice.Unsupported, "databases of the engine %q cannot be masked", r.Spec.Engine).
		WithHint("remove maskData, or mask the data in a runJob step").At(r.Spec.Pos)
}

// copyScratch stops the workload in the scratch and copies its data.
func (r Request) copyScratch(ctx context.Context, opened Dataset) (sluice.Copy, error) {
	if err := opened.Stop(ctx); err != nil {
		return sluice.Copy{}, err
	}
	cut, err := opened.Place.Account.Volumes.Cut(ctx, opened.Place.Namespace, r.Spec.Claims, opened.maskedCut(), lease)
	if err != nil {
		return sluice.Copy{}, err
	}
	t := sluice.Transfer{Kind: sluice.TransferCopy, ID: string(r.ID), Place: opened.Place}
	return r.copy(ctx, t, cut, "copying the masked data of "+r.Spec.Name)
}

// maskedCut names the cut of the masked data.
func (d Dataset) maskedCut() string { return "masked-" + d.Key }

// differing names the collections that are not alike.
func differing(before, after sluice.Fingerprint) []string {
	var names []string
	for _, p := range fingerprint.Pairs(before, after, nil) {
		missing, added, changed := p.Indexes(nil)
		if !p.SameDocuments() || len(missing)+len(added)+len(changed) > 0 {
			names = append(names, p.Name)
		}
	}
	return names
}

// maskNote says by which rule each field is masked.
func (r Request) maskNote() string {
	var rules []string
	for _, field := range r.Mask.Rewritten() {
		rules = append(rules, field+" ("+r.Mask[field]+")")
	}
	return "masks " + strings.Join(rules, ", ") + " before anybody may use the copy"
}
