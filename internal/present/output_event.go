package present

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// An EventLine is one recorded event in JSON output.
type EventLine struct {
	Deployment sluice.DeploymentID `json:"deployment"`
	Event      eventOutput         `json:"event"`
}

type eventOutput struct {
	Seq         sluice.Seq          `json:"seq"`
	At          time.Time           `json:"at"`
	Kind        sluice.EventKind    `json:"kind"`
	Plan        *PlanOutput         `json:"plan,omitempty"`
	Actor       *sluice.Actor       `json:"actor,omitempty"`
	Outcome     sluice.Status       `json:"outcome,omitempty"`
	Step        sluice.StepID       `json:"step,omitempty"`
	Progress    *progressOutput     `json:"progress,omitempty"`
	Failure     *failureOutput      `json:"failure,omitempty"`
	Until       time.Time           `json:"until,omitzero"`
	Signal      *sluice.Signal      `json:"signal,omitempty"`
	OvertakenBy sluice.DeploymentID `json:"overtakenBy,omitempty"`
}

// A progressOutput is the progress of a step without what only the step reads.
type progressOutput struct {
	State   sluice.StepState `json:"state"`
	Message string           `json:"message,omitempty"`
	Wait    *sluice.Wait     `json:"wait,omitempty"`
	Amount  *sluice.Amount   `json:"amount,omitempty"`
	Changes []sluice.Change  `json:"changes,omitempty"`
	Result  *resultOutput    `json:"result,omitempty"`
}

// A resultOutput is the evidence of a step without what only later steps read.
type resultOutput struct {
	Judgment     *sluice.Judgment     `json:"judgment,omitempty"`
	Verification *sluice.Verification `json:"verification,omitempty"`
	Checkpoint   sluice.CheckpointID  `json:"checkpoint,omitempty"`
	SavedAside   sluice.CheckpointID  `json:"savedAside,omitempty"`
}

type failureOutput struct {
	Code    sluice.Code   `json:"code"`
	Message string        `json:"message"`
	Hint    string        `json:"hint,omitempty"`
	Result  *resultOutput `json:"result,omitempty"`
}

func eventOf(e sluice.Event) eventOutput {
	out := eventOutput{
		Seq: e.Seq, At: e.At, Kind: e.Kind, Actor: e.Actor, Outcome: e.Outcome, Step: e.Step,
		Progress: progressOf(e.Progress), Failure: failureOf(e.Failure), Until: e.Until, Signal: e.Signal,
		OvertakenBy: e.OvertakenBy,
	}
	if e.Plan != nil {
		p := PlanOf(e.Plan)
		out.Plan = &p
	}
	return out
}

func progressOf(p *sluice.Progress) *progressOutput {
	if p == nil {
		return nil
	}
	return &progressOutput{
		State: p.State, Message: p.Message, Wait: p.Wait, Amount: p.Amount, Changes: p.Changes, Result: resultOf(p.Result),
	}
}

func resultOf(r *sluice.Result) *resultOutput {
	if r == nil {
		return nil
	}
	out := resultOutput{nil, r.Verification, r.Checkpoint, r.SavedAside}
	if r.Judgment != nil {
		j := *r.Judgment
		j.Samples = append([]sluice.Sample{}, j.Samples...) // an empty list, not null
		out.Judgment = &j
	}
	if out == (resultOutput{}) {
		return nil
	}
	return &out
}

func failureOf(f *sluice.Failure) *failureOutput {
	if f == nil {
		return nil
	}
	return &failureOutput{Code: f.Code, Message: f.Message, Hint: f.Hint, Result: resultOf(f.Result)}
}
