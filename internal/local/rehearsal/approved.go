package rehearsal

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// by is the actor that decides and answers in a rehearsal.
var by = sluice.Actor{Name: "the rehearsal", Via: "rehearsal"}

// approved is a step that is approved as soon as it waits for a person. A judgment that is not good is recorded first.
type approved struct{ sluice.Step }

// Start approves if the step waits for a person at once.
func (a approved) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	p, err := a.Step.Start(ctx, p)
	return a.approve(ctx, p, err)
}

// Observe approves if the step waits for a person now.
func (a approved) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if p.State == sluice.Running && isDoubtful(p) {
		return a.say(ctx, p)
	}
	p, err := a.Step.Observe(ctx, p)
	return a.approve(ctx, p, err)
}

func (a approved) approve(ctx context.Context, p sluice.Progress, err error) (sluice.Progress, error) {
	if err != nil || p.State != sluice.Waiting || p.Wait == nil || !slices.Contains(p.Wait.Signals, sluice.SignalApprove) {
		return p, err
	}
	if isDoubtful(p) {
		p.State, p.Wait = sluice.Running, nil
		return p, nil
	}
	return a.say(ctx, p)
}

func (a approved) say(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.Signals = append(slices.Clone(p.Signals), sluice.Signal{Kind: sluice.SignalApprove, By: by})
	return a.Step.Observe(ctx, p)
}

// isDoubtful reports whether the step waits for a person because of a judgment that is not good.
func isDoubtful(p sluice.Progress) bool {
	return p.Result != nil && p.Result.Judgment != nil && p.Result.Judgment.Verdict != sluice.Good
}
