package step

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// unmasked tells the copy that is masked from the one that everybody may use.
const unmasked = "-unmasked"

// masked makes the copy of a checkpoint that is masked. raw, the copy as the source has it, is opened in the scratch
// beside the source, masked there, and copied again; what comes of it is opened anew, read whole and compared, without
// the masked fields, with what was read before. Nothing else ever opens raw, which is forgotten afterwards. A call
// that was interrupted begins again with raw, so nothing is masked twice.
func (t taking) masked(ctx context.Context, m sluice.Mover, raw sluice.Checkpoint) (sluice.Checkpoint, error) {
	c := raw
	c.Masked = t.mask.Rewritten()
	var before sluice.Fingerprint
	err := t.scratchAt(t.from, "").open(ctx, raw, func(at place) (err error) {
		if before, err = t.leftover(ctx, at, "reading "+t.spec.Name+" without what is masked"); err != nil {
			return err
		}
		if err := t.rewrite(ctx, at); err != nil {
			return err
		}
		c.Copy, err = t.copyScratch(ctx, m, at)
		return err
	})
	if err != nil {
		return c, err
	}
	return c, t.scratchAt(t.from, "").open(ctx, c, func(at place) error {
		after, err := t.leftover(ctx, at, "comparing what is not masked")
		if err != nil {
			return err
		}
		if fingerprint.Differ(before, after, nil) {
			return sluice.Errorf(sluice.Failed, "masking %s changed more than the fields that it names: %s", t.spec.Name, strings.Join(differing(before, after), ", ")).
				WithHint("something in the copy changes documents by itself, such as an index that lets them expire")
		}
		c.Fingerprint, err = t.read(ctx, at, "reading the masked copy of "+t.spec.Name)
		return err
	})
}

// leftover reads the database without the fields that are rewritten.
func (t taking) leftover(ctx context.Context, at place, message string) (f sluice.Fingerprint, err error) {
	err = t.with(ctx, at, func(db sluice.Database) error {
		ig, ok := db.(sluice.Ignorer)
		if !ok {
			return t.cannotMask()
		}
		f, err = ig.Ignoring(t.mask.Rewritten()).Fingerprint(ctx, nil, t.say(message))
		return err
	})
	return f, err
}

// rewrite masks the database at the place.
func (t taking) rewrite(ctx context.Context, at place) error {
	if len(t.deps.MaskKey) == 0 {
		return sluice.Errorf(sluice.Internal, "there is no key to mask with")
	}
	return t.with(ctx, at, func(db sluice.Database) error {
		masker, ok := db.(sluice.Masker)
		if !ok {
			return t.cannotMask()
		}
		_, err := masker.Mask(ctx, t.mask, t.deps.MaskKey, t.pace("masking "+t.spec.Name))
		return err
	})
}

func (t taking) cannotMask() error {
	return sluice.Errorf(sluice.Unsupported, "databases of the engine %q cannot be masked", t.spec.Engine).
		WithHint("remove maskData, or mask the data in a runJob step").At(t.sc.Step.Pos)
}

// pace shows how far a piece of work has come, and how fast it goes.
func (t taking) pace(message string) func(sluice.Amount) {
	t.say(message)
	began := t.deps.Now()
	return func(a sluice.Amount) {
		text := message
		if spent := t.deps.Now().Sub(began); spent >= time.Second {
			text = fmt.Sprintf("%s (%.0f %s/s)", message, float64(a.Done)/spent.Seconds(), a.Unit)
		}
		t.sc.Report(sluice.Progress{State: sluice.Running, Message: text, Amount: &a})
	}
}

// copyScratch stops the workload in the scratch and copies what it leaves.
func (t taking) copyScratch(ctx context.Context, m sluice.Mover, at place) (sluice.Copy, error) {
	if err := t.end(ctx, at); err != nil {
		return sluice.Copy{}, err
	}
	cut, err := at.account.Volumes.Cut(ctx, at.namespace, t.spec.Claims, "masked-"+t.key, lease)
	if err != nil {
		return sluice.Copy{}, err
	}
	return m.Copy(ctx, t.id, cut.Volumes, t.say("copying what is masked of "+t.spec.Name))
}

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

// maskNotes says in a preview by which rule each field is masked.
func maskNotes(m sluice.Mask) []string {
	var rules []string
	for _, field := range m.Rewritten() {
		rules = append(rules, field+" ("+m[field]+")")
	}
	if len(rules) == 0 {
		return nil
	}
	return []string{"masks " + strings.Join(rules, ", ") + " before anybody may use the copy"}
}
