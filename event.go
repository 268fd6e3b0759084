package sluice

import (
	"context"
	"time"
)

// A DeploymentID names a deployment. Ids sort by the time of their making.
type DeploymentID string

// A Seq numbers the events of one deployment, from 1 without gaps.
type Seq int64

// An Event is one fact in a deployment's log. Kind says which of the other fields are set.
type Event struct {
	Seq  Seq       `json:"seq"`
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`

	Plan     *Plan     `json:"plan,omitempty"`     // the first event
	Actor    *Actor    `json:"actor,omitempty"`    // the first event, SignalReceived, DeploymentReopened
	Outcome  Status    `json:"outcome,omitempty"`  // DeploymentEnded
	Step     StepID    `json:"step,omitempty"`     // every step event
	Progress *Progress `json:"progress,omitempty"` // StepStarting (the snapshot), StepProgressed, StepDone, StepUndoing
	Failure  *Failure  `json:"failure,omitempty"`  // StepFailed, StepRetrying, StepUndoFailed, StepFinishFailed
	Until    time.Time `json:"until,omitzero"`     // StepRetrying: when it will be tried again
	Signal   *Signal   `json:"signal,omitempty"`   // SignalReceived; StepSkipped: what it was skipped for
	Letter   LetterID  `json:"letter,omitempty"`   // SignalReceived: the letter that brought the signal; 0 if none did

	OvertakenBy DeploymentID `json:"overtakenBy,omitempty"` // DeploymentEnded: the newer one, which came at At
}

// An EventKind names a kind of fact.
type EventKind string

// The kinds of events.
const (
	DeploymentQueued  EventKind = "deploymentQueued"  // the first, if the deployment waits for its turn
	DeploymentStarted EventKind = "deploymentStarted" // the first, or the end of waiting
	DeploymentEnded   EventKind = "deploymentEnded"   // the last, unless the deployment is reopened
	// DeploymentReopened follows an end at which a step could not be undone: it and those before it are undone again.
	DeploymentReopened EventKind = "deploymentReopened"
	SignalReceived     EventKind = "signalReceived"
	StepStarting       EventKind = "stepStarting"   // the intent: written before Start is called
	StepProgressed     EventKind = "stepProgressed" // what Start or Observe reported, if it is worth keeping
	StepRetrying       EventKind = "stepRetrying"   // something is unavailable; once per outage, not per try
	StepDone           EventKind = "stepDone"
	StepFailed         EventKind = "stepFailed"
	StepSkipped        EventKind = "stepSkipped" // a person wanted it skipped; it may have begun
	StepUndoing        EventKind = "stepUndoing" // the intent; then also what the undo waits for, if that takes seconds
	StepUndone         EventKind = "stepUndone"
	StepUndoFailed     EventKind = "stepUndoFailed"
	StepFinishing      EventKind = "stepFinishing"
	StepFinished       EventKind = "stepFinished"
	StepFinishFailed   EventKind = "stepFinishFailed"
)

// A Failure is an Error as recorded.
type Failure struct {
	Code    Code    `json:"code"`
	Message string  `json:"message"`
	Hint    string  `json:"hint,omitempty"`
	Result  *Result `json:"result,omitempty"` // a gate's evidence
}

// A Status is the state of a deployment or of a target, as people see it.
type Status string

// The statuses of a deployment and of a target.
const (
	StatusQueued      Status = "queued" // a deployment that waits until its application's running one has ended
	StatusPending     Status = "pending"
	StatusRunning     Status = "running"
	StatusWaiting     Status = "waiting"     // for a person or a callback
	StatusPaused      Status = "paused"      // a person has paused it: no further step begins until a person continues it
	StatusRollingBack Status = "rollingBack" // being undone
	StatusSucceeded   Status = "succeeded"
	StatusFailed      Status = "failed"     // a target failed, and nothing was deployed to it or not all was undone
	StatusRolledBack  Status = "rolledBack" // what was deployed to a target was undone completely
	StatusCancelled   Status = "cancelled"  // somebody cancelled it, or halted it before anything was deployed
	StatusOvertaken   Status = "overtaken"  // a newer deployment was queued before this one started
	StatusSkipped     Status = "skipped"    // a target whose dependency did not succeed, or whose deployment was overtaken
)

// An Actor is the person or program that did something.
type Actor struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles,omitempty"`
	Via   string   `json:"via,omitempty"` // cli, api, page, callback
	// Identity is what a server proved: "token:" and the id of a token, or the issuer, "#" and the subject of an
	// OIDC token; "" if nothing was proven.
	Identity string `json:"identity,omitempty"`
	From     string `json:"from,omitempty"` // the network address that a server was called from
}

// A Signal tells a running deployment something from outside.
type Signal struct {
	Kind    string `json:"kind"`
	Step    StepID `json:"step,omitempty"`   // "" for the whole deployment or a target: rollBack, cancel, pause, continue
	Target  string `json:"target,omitempty"` // pause and continue: "" for every target
	By      Actor  `json:"by"`
	Reason  string `json:"reason,omitempty"`
	Success bool   `json:"success,omitempty"` // callback
	Request string `json:"request,omitempty"` // the idempotency key of the request that brought it
}

// The kinds of signals.
const (
	SignalApprove     = "approve"
	SignalReject      = "reject"
	SignalCallback    = "callback"
	SignalRollForward = "rollForward" // go on at once: end a wait early, or although a gate is bad or unknown
	SignalPromote     = "promote"     // to a step of the kind promote: skip what is left of its strategy before it
	SignalPause       = "pause"       // begin no further step of the targets that have not ended
	SignalContinue    = "continue"    // begin steps of paused targets again
	SignalRollBack    = "rollBack"    // undo every target that has not finished, then run its onRollback steps
	SignalCancel      = "cancel"      // undo every target that has not finished; data steps of onRollback do not run
)

// A Deployment is what a list of deployments shows of one.
type Deployment struct {
	ID          DeploymentID `json:"id"`
	Application string       `json:"application"`
	StartedAt   time.Time    `json:"startedAt"`
	StartedBy   string       `json:"startedBy"`
	EndedAt     time.Time    `json:"endedAt,omitzero"`
	Outcome     Status       `json:"outcome,omitempty"` // StatusQueued while it waits for its turn, "" while it runs
}

// Secrets finds the values that deploy files and configuration name. A NotFound error lists the names that exist.
type Secrets interface {
	Secret(ctx context.Context, name string) (string, error)
}

// A Sealer hides values that have to be recorded. Open reverses Seal; a value sealed under another key is Denied.
type Sealer interface {
	Seal(plain string) (string, error)
	Open(sealed string) (string, error)
}
