package present

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// A CheckpointOutput is a checkpoint in JSON output.
type CheckpointOutput struct {
	ID          sluice.CheckpointID `json:"id"`
	Application string              `json:"application"`
	Deployment  sluice.DeploymentID `json:"deployment"`
	Step        sluice.StepID       `json:"step"`
	Owner       string              `json:"owner,omitempty"`
	Dataset     string              `json:"dataset"`
	Target      string              `json:"target"`
	Account     string              `json:"account"`
	Namespace   string              `json:"namespace"`
	TakenAt     time.Time           `json:"takenAt"`
	Pause       Span                `json:"pause"`
	Image       string              `json:"image"`
	Copy        copyOutput          `json:"copy"`
	Fingerprint fingerprintOutput   `json:"fingerprint"`
	Expires     time.Time           `json:"expires,omitzero"`
	Masked      []string            `json:"masked,omitempty"`
}

type copyOutput struct {
	Mover  string   `json:"mover"`
	Claims []string `json:"claims"`
	Bytes  int64    `json:"bytes"`
	Added  int64    `json:"added"`
	Files  int64    `json:"files"`
}

// A fingerprintOutput is what a checkpoint holds, without digests.
type fingerprintOutput struct {
	Engine      string                  `json:"engine"`
	Version     string                  `json:"version"`
	TakenAt     time.Time               `json:"takenAt,omitzero"`
	Took        Span                    `json:"took"`
	Collections []collectionOutput      `json:"collections"`
	Invariants  []sluice.InvariantValue `json:"invariants,omitempty"`
}

type collectionOutput struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Bytes int64  `json:"bytes"`
}

// CheckpointOf returns the checkpoint for JSON output.
func CheckpointOf(c sluice.Checkpoint) CheckpointOutput {
	out := CheckpointOutput{
		ID: c.ID, Application: c.Application, Deployment: c.Deployment, Step: c.Step, Owner: c.Owner, Dataset: c.Dataset,
		Target: c.Target, Account: c.Account, Namespace: c.Namespace, TakenAt: c.TakenAt, Pause: Span(c.Pause),
		Image: c.Image, Expires: c.Expires, Masked: c.Masked,
		Copy: copyOutput{c.Copy.Mover, append([]string{}, c.Copy.Claims...), c.Copy.Bytes, c.Copy.Added, c.Copy.Files},
		Fingerprint: fingerprintOutput{
			Engine: c.Fingerprint.Engine, Version: c.Fingerprint.Version, TakenAt: c.Fingerprint.TakenAt,
			Took: Span(c.Fingerprint.Took), Collections: []collectionOutput{}, Invariants: c.Fingerprint.Invariants,
		},
	}
	for _, f := range c.Fingerprint.Collections {
		out.Fingerprint.Collections = append(out.Fingerprint.Collections, collectionOutput{f.Name, f.Count, f.Bytes})
	}
	return out
}

// CheckpointsOf returns the checkpoints for JSON output.
func CheckpointsOf(list []sluice.Checkpoint) []CheckpointOutput {
	all := make([]CheckpointOutput, len(list))
	for i, c := range list {
		all[i] = CheckpointOf(c)
	}
	return all
}
