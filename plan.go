package sluice

import (
	"strings"
	"time"
)

// A StepID is a step's path in the plan, such as "production/canary/2". It is stable: the same deploy file
// gives the same ids.
type StepID string

// Target returns the first part of the path.
func (id StepID) Target() string {
	target, _, _ := strings.Cut(string(id), "/")
	return target
}

// A Phase is the part of a target that a step belongs to, the second part of its path.
type Phase string

// The phases of a target, in their order. Steps of PhaseOnRollback run only after the target was undone.
const (
	PhaseBefore     Phase = "before"
	PhaseApply      Phase = "apply"
	PhaseCanary     Phase = "canary"
	PhaseBlueGreen  Phase = "bluegreen"
	PhasePromote    Phase = "promote"
	PhasePrune      Phase = "prune"
	PhaseAfter      Phase = "after"
	PhaseOnRollback Phase = "onRollback"
)

// A Plan is a compiled deploy file: everything that a deployment will do, fixed before it starts.
type Plan struct {
	Application string            `json:"application"`
	Description string            `json:"description,omitempty"`
	Context     map[string]string `json:"context,omitempty"`
	Digest      string            `json:"digest"`             // of everything but itself, Enqueue, Replace, Rehearsal and Request
	Enqueue     bool              `json:"enqueue,omitempty"`  // waits for the application's running deployment
	TakeOver    []string          `json:"takeOver,omitempty"` // the field managers whose fields it may take
	// Replace names a deployment that another state directory began and that nobody continues. What it left in the
	// cluster is taken as if this state directory had begun it.
	Replace   DeploymentID    `json:"replace,omitempty"`
	Targets   []PlannedTarget `json:"targets"`
	Steps     []PlannedStep   `json:"steps"` // in a topological order, the same every time
	Rehearsal *Rehearsal      `json:"rehearsal,omitempty"`
	// Request is the idempotency key of the request that brought the plan to a server, "" if there was none.
	Request string `json:"request,omitempty"`
}

// A PlannedTarget is a target of the plan.
type PlannedTarget struct {
	Pos           Position `json:"-"` // in the deploy file; none in a plan that was read from the log
	Name          string   `json:"name"`
	Account       string   `json:"account"`
	Namespace     string   `json:"namespace,omitempty"`
	DependsOn     []string `json:"dependsOn,omitempty"`
	AfterFailure  string   `json:"afterFailure"`            // keep or rollBack
	Irreversible  []string `json:"irreversible,omitempty"`  // what cannot be undone, as sentences
	RollbackClass string   `json:"rollbackClass,omitempty"` // A to D, where datasets are touched

	MaxUnready Tolerance `json:"maxUnready,omitzero"` // of each workload

	Traffic []Traffic `json:"traffic,omitempty"` // how its weights are made; empty: by its Services alone

	// Release names the deployment of the earlier release that a rollback returns the target to; "" for a new release.
	Release DeploymentID `json:"release,omitempty"`
}

// A PlannedStep is a node of the plan's graph.
type PlannedStep struct {
	ID     StepID   `json:"id"`
	Target string   `json:"target"`
	Phase  Phase    `json:"phase"`
	After  []StepID `json:"after,omitempty"` // steps of the same target that must be done first
	StepSpec
}

// Target returns the named target.
func (p *Plan) Target(name string) (PlannedTarget, bool) {
	for _, t := range p.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return PlannedTarget{}, false
}

// Step returns the step with the id.
func (p *Plan) Step(id StepID) (PlannedStep, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return PlannedStep{}, false
}

// Duration returns the shortest time that the step's own declaration makes it take.
func (s PlannedStep) Duration() time.Duration {
	switch {
	case s.Pause != nil:
		return s.Pause.Duration
	case s.Analysis != nil:
		return s.Analysis.Interval * time.Duration(s.Analysis.Runs)
	}
	return 0
}
