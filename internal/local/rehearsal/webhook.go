package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// webhook shows the call in one report and answers it in the next.
type webhook struct {
	sluice.Step
	receiver *receiver
	sc       sluice.StepContext
}

// A sent call is what is recorded between the two.
type sent struct {
	Waits bool `json:"waits"` // for its callback
}

// Start makes the call and shows it.
func (w webhook) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	p, err := w.Step.Start(ctx, p)
	if err != nil {
		return p, err
	}
	p.Data, err = json.Marshal(sent{Waits: p.State == sluice.Waiting})
	p.State, p.Wait, p.Message = sluice.Running, nil, w.receiver.shown()
	return p, err
}

// Observe answers.
func (w webhook) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	var s sent
	if len(p.Data) > 0 {
		if err := json.Unmarshal(p.Data, &s); err != nil {
			return p, err
		}
	}
	outcome := w.sc.Plan.Rehearsal.Webhooks[w.sc.Step.RunWebhook.Name]
	if outcome == sluice.RehearseTimeout {
		return p, sluice.Errorf(sluice.Failed, "webhook %q did not call back within %s, as this rehearsal asks for",
			w.sc.Step.RunWebhook.Name, cmp.Or(w.sc.Step.RunWebhook.Timeout, 24*time.Hour))
	}
	if !s.Waits {
		p.State, p.Message = sluice.Done, "rehearsed: the webhook was accepted"
		return p, nil
	}
	answer := sluice.Signal{Kind: sluice.SignalCallback, Step: w.sc.Step.ID, By: by,
		Success: outcome != sluice.RehearseFail, Reason: "rehearsed success"}
	if !answer.Success {
		answer.Reason = "rehearsed failure"
	}
	p.Signals = append(slices.Clone(p.Signals), answer)
	return w.Step.Observe(ctx, p)
}

// copied is a data step that does nothing if nothing was ever deployed here: the data is on the cluster.
type copied struct{ sluice.Step }

const nothingHere = "rehearsed, nothing was copied: this machine has none of its data yet"

// Check says so.
func (c copied) Check(ctx context.Context) (sluice.Preview, error) {
	preview, err := c.Step.Check(ctx)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return sluice.Preview{Notes: []string{nothingHere}}, nil
	}
	return preview, err
}

// Start copies the data if there is any.
func (c copied) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	_, err := c.Step.Check(ctx)
	if len(p.Snapshot) == 0 && sluice.ErrorCode(err) == sluice.NotFound {
		p.State, p.Message = sluice.Done, nothingHere
		return p, nil
	}
	return c.Step.Start(ctx, p)
}
