package sluice

import (
	"context"
	"encoding/json"
	"time"
)

// A Step is one reversible unit of work. What it creates MUST be named from the deployment and step id alone,
// so that after a crash it finds its own work. Each method MUST be harmless when repeated and MUST change
// nothing once ctx is cancelled.
//
// After an error that is an outage (see [Code.IsOutage]), the method is called again with growing pauses until the
// step's retry budget is spent. Undo has a much larger budget, and is called again after every error that [MayPass].
// Any other error fails the step, and its target is undone.
type Step interface {
	// Check only reads. It says what Start would do, and keeps in Preview.Snapshot what Undo will need to put back.
	// It is called right before StepStarting is recorded; the snapshot is recorded with it.
	Check(ctx context.Context) (Preview, error)
	// Start begins the work. p.Snapshot is what Check returned; p.Data is what was last recorded, so Start may be
	// called again after a crash at any point. Long work may be done wholly in Start.
	Start(ctx context.Context, p Progress) (Progress, error)
	// Observe is called after Start returned Running, and when what a Waiting step waits for has come. It blocks while
	// there is nothing new to say, and never pushes.
	Observe(ctx context.Context, p Progress) (Progress, error)
	// Finish cleans up what was kept for Undo. It is called once the whole target has succeeded; after it,
	// Undo is not called.
	Finish(ctx context.Context, p Progress) error
	// Undo puts back what was there before, and returns when it is back. It succeeds if Start never ran or only half
	// ran.
	Undo(ctx context.Context, p Progress) error
}

// A Guard is a step that brought pods. Once the step is done, the engine runs its guard while a later step of the
// target waits or works without changing pods itself, whatever that step waits for. A guard records nothing: after a
// crash it runs again, and sees what has happened since the step was done.
//
// Both methods return Failed, with the last words of a pod, if what the step brought is not well; then the steps that
// wait fail with this error. An outage and Denied never fail a step: the method is called again.
type Guard interface {
	// Guard returns as soon as something is not well, or with ctx, or at once if the step brought nothing.
	Guard(ctx context.Context) error
	// Well returns nil if all is well. It decides within seconds on what is in doubt. A step that waited is done only
	// after it.
	Well(ctx context.Context) error
}

// StepContext is what a step knows of the deployment it belongs to.
type StepContext struct {
	Deployment DeploymentID
	StartedAt  time.Time // of the deployment
	StartedBy  Actor
	Plan       *Plan
	Target     PlannedTarget
	Step       PlannedStep
	Results    map[StepID]Result // of the deployment's steps that are done
	// Report shows progress while a method runs. It never blocks and may be called often. Only what an undo waits for is
	// recorded, if it stands for seconds.
	Report func(Progress)
}

// Steps makes a plan's steps. Making one has no effects; it fails with Invalid if the plan names something that is not
// configured here.
type Steps interface {
	New(sc StepContext) (Step, error)
}

// A StepState tells the engine what a step needs next.
type StepState string

// The states that a step can report.
const (
	Running StepState = "running" // Observe at once
	Waiting StepState = "waiting" // Observe when Wait is satisfied
	Done    StepState = "done"
)

// Progress is what a step reports and what it is handed back. It holds no secrets: it is recorded. In the log the
// snapshot is called "image", as earlier versions wrote it: what they began is resumed and undone by this one.
type Progress struct {
	State    StepState       `json:"state"`
	Message  string          `json:"message,omitempty"` // for a person, without a timestamp
	Wait     *Wait           `json:"wait,omitempty"`    // set if and only if State is Waiting
	Amount   *Amount         `json:"amount,omitempty"`
	Changes  []Change        `json:"changes,omitempty"`
	Snapshot json.RawMessage `json:"image,omitempty"`  // from Check; the step only reads it
	Data     json.RawMessage `json:"data,omitempty"`   // the step's own
	Signals  []Signal        `json:"-"`                // those that came for this step since it began, oldest first
	Result   *Result         `json:"result,omitempty"` // the evidence, at the end or on the way
}

// A Result is a gate's evidence, and what later steps need from the step.
type Result struct {
	Judgment     *Judgment     `json:"judgment,omitempty"`
	Verification *Verification `json:"verification,omitempty"`
	Checkpoint   CheckpointID  `json:"checkpoint,omitempty"`
	SavedAside   CheckpointID  `json:"savedAside,omitempty"` // what restoreData kept before it restored
	Canaries     []Ref         `json:"canaries,omitempty"`   // the canaries that apply brought; they stand until promotion
	Skipped      bool          `json:"skipped,omitempty"`    // a person wanted the step skipped; it is not recorded
	First        bool          `json:"first,omitempty"`      // apply brought the target's first workloads
	NoData       bool          `json:"noData,omitempty"`     // a step that copies data was left out: there was none yet
	Brought      []Brought     `json:"brought,omitempty"`    // the pods that the step brought, for guards
	// Baseline is what was read of data that was moved without a copy, so it has no segments.
	Baseline *Fingerprint `json:"baseline,omitempty"`
}

// Brought holds the pods of one workload as they were when the step that brought them was done: all were ready, except
// for those that the target tolerates.
type Brought struct {
	Workload Ref            `json:"workload"`
	Revision string         `json:"revision,omitempty"` // of the pods
	Newest   time.Time      `json:"newest,omitzero"`    // when the last of them was created
	Restarts map[string]int `json:"restarts,omitempty"` // by pod, those above 0
	Pods     int            `json:"pods,omitempty"`     // their number, if some of them were unready
	Unready  int            `json:"unready,omitempty"`  // as many as the target tolerates, at most
}

// A Wait is what a step waits for. The first of these to come ends the wait.
type Wait struct {
	Until    time.Time `json:"until,omitzero"`     // a time; a deadline if Signals is set
	Signals  []string  `json:"signals,omitempty"`  // the kinds that end it
	Roles    []string  `json:"roles,omitempty"`    // any of which may approve; empty: anyone
	Another  bool      `json:"another,omitempty"`  // who started the deployment may not approve
	Callback string    `json:"callback,omitempty"` // the URL for the callback, without its secret
}

// A Preview is what a step would do.
type Preview struct {
	Changes  []Change        `json:"changes,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
	Snapshot json.RawMessage `json:"image,omitempty"`  // what Undo needs to put back
	First    bool            `json:"first,omitempty"`  // apply would bring the target's first workloads
	NoData   bool            `json:"noData,omitempty"` // the step copies data and would be left out: there is none yet
}

// A Change is what a write did or would do to one object.
type Change struct {
	Object  string  `json:"object"` // Kind/name
	Outcome Outcome `json:"outcome"`
	Diff    string  `json:"diff,omitempty"` // unified, secrets masked
}
