package dataset

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// A Loss is what a restore of a checkpoint would take away.
type Loss struct {
	Writes  int64         `json:"writes"`            // documents that were added, changed or deleted since the checkpoint
	Age     time.Duration `json:"age"`               // of the checkpoint
	Unknown string        `json:"unknown,omitempty"` // why the writes cannot be counted
}

// Loss counts what was written since the checkpoint. A database that does not open is a reason to restore, not to
// refuse it. So writes that cannot be counted are not an error.
func (d Dataset) Loss(ctx context.Context, was sluice.Checkpoint) (Loss, error) {
	l := Loss{Age: d.Now().Sub(was.TakenAt)}
	if d.Spec.Engine == EngineFiles {
		l.Unknown = "files are not compared"
		return l, nil
	}
	v, now, err := d.Verify(ctx, Question{Was: was, Mode: fingerprint.Loss},
		"counting what was written to "+d.Spec.Name+" since the checkpoint")
	if err != nil && ctx.Err() == nil && now.Engine == "" {
		l.Unknown = err.Error()
		return l, nil
	}
	for _, c := range v.Comparison.Collections {
		l.Writes += c.Missing + c.Added + c.Changed
	}
	return l, err
}

// LossOnce is Loss for a caller that will not call again: it also cleans up if ctx ends.
func (d Dataset) LossOnce(ctx context.Context, was sluice.Checkpoint) (Loss, error) {
	l, err := d.Loss(ctx, was)
	if ctx.Err() == nil {
		return l, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	return l, errors.Join(err, d.Scratch(ForComparison).Clean(ctx))
}

// Allowed reports whether the loss needs no person's consent: nothing is lost, or every bound that is set holds.
func (l Loss) Allowed(a *sluice.AllowDataLoss) bool {
	if l.Unknown == "" && l.Writes == 0 {
		return true
	}
	if a == nil || a.Writes == 0 && a.Age == 0 {
		return false
	}
	fewEnough := a.Writes == 0 || l.Unknown == "" && l.Writes <= int64(a.Writes)
	youngEnough := a.Age == 0 || l.Age <= a.Age
	return fewEnough && youngEnough
}

// Class is the rollback class of a restore with this loss: B if nothing was written since the checkpoint, else C.
func (l Loss) Class() string {
	if l.Unknown == "" && l.Writes == 0 {
		return "B"
	}
	return "C"
}

// String tells a person what would be lost.
func (l Loss) String() string { return l.sentence("would be", "would be") }

// Past tells what was lost.
func (l Loss) Past() string { return l.sentence("were", "was") }

// sentence takes the verbs for countable and for uncountable losses.
func (l Loss) sentence(counted, unknown string) string {
	age := l.Age.Round(time.Second)
	if l.Unknown == "" {
		return fmt.Sprintf("%d documents were added, changed or deleted in the %s since the checkpoint and %s lost",
			l.Writes, age, counted)
	}
	return fmt.Sprintf("what was written in the %s since the checkpoint %s lost and cannot be counted (%s)",
		age, unknown, l.Unknown)
}
