package sluice

import "time"

// A Release is what one target runs, or ran: the objects that a deployment left there.
type Release struct {
	Deployment  DeploymentID   `json:"deployment"` // that first brought it
	By          DeploymentID   `json:"by"`         // that brought it last: a rollback to it, or Deployment
	Target      string         `json:"target"`
	Digest      string         `json:"digest"`                // of the plan
	Objects     []Ref          `json:"objects"`               // in the order in which they were applied
	Created     []string       `json:"created,omitempty"`     // those of them that did not exist before, as Kind/name
	Checkpoints []CheckpointID `json:"checkpoints,omitempty"` // of the target's data, taken before the release
	Outcome     Status         `json:"outcome"`               // succeeded, or failed if a failed check kept the release
	At          time.Time      `json:"at"`                    // when its deployment started
	Plan        *Plan          `json:"-"`                     // that brought it first
}
