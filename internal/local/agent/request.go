package agent

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// The requests and answers of the agent's API, each the body of a POST.
type (
	// ApplyRequest asks for an object.
	ApplyRequest struct {
		Object sluice.Object    `json:"object"`
		DryRun bool             `json:"dryRun,omitempty"`
		Images map[string]Image `json:"images,omitempty"` // count for a dry run beside those that the agent knows
	}
	// ApplyResponse is the result of an ApplyRequest.
	ApplyResponse struct {
		Object  sluice.Object  `json:"object"`
		Outcome sluice.Outcome `json:"outcome"`
	}
	// BesideRequest asks for a canary whose pods have the name of a replica set. The answer is an ApplyResponse.
	BesideRequest struct {
		Canary     sluice.Object `json:"canary"`
		ReplicaSet string        `json:"replicaSet"`
	}
	// WatchRequest asks for the objects of a kind.
	WatchRequest struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Namespace  string `json:"namespace"`
	}
	// WatchEvent is one line of the answer: an object, or the mark that all existing objects were sent.
	WatchEvent struct {
		Object sluice.Object `json:"object,omitempty"`
		Ending bool          `json:"ending,omitempty"` // the object is being deleted, and comes again when it is gone
		Synced bool          `json:"synced,omitempty"`
	}
	// LogsRequest asks for a pod's last lines.
	LogsRequest struct {
		Namespace string `json:"namespace"`
		Pod       string `json:"pod"`
		Lines     int    `json:"lines"`
	}
	// ExecRequest asks for a command in a pod.
	ExecRequest struct {
		Namespace string   `json:"namespace"`
		Pod       string   `json:"pod"`
		Command   []string `json:"command"`
	}
	// AddressRequest asks where a Service's port answers.
	AddressRequest struct {
		Namespace string `json:"namespace"`
		Service   string `json:"service"`
		Port      int    `json:"port"`
	}
	// ScaleRequest asks for a number of pods.
	ScaleRequest struct {
		Ref      sluice.Ref `json:"ref"`
		Replicas int        `json:"replicas"`
	}
	// EvictRequest asks for a pod to end.
	EvictRequest struct {
		Namespace string `json:"namespace"`
		Pod       string `json:"pod"`
	}
	// ShiftRequest divides a Service's traffic, or gives every pod its share again.
	ShiftRequest struct {
		Release      bool   `json:"release,omitempty"`
		Namespace    string `json:"namespace"`
		Service      string `json:"service"`
		ReleaseLabel string `json:"releaseLabel,omitempty"` // of the canary pods; "": they have the track label
		Percent      int    `json:"percent"`
	}
	// CutRequest asks for a copy of claims at one instant.
	CutRequest struct {
		Namespace  string        `json:"namespace"`
		Claims     []string      `json:"claims"`
		Generation string        `json:"generation"`
		Lease      time.Duration `json:"lease"`
	}
	// ClaimsRequest names claims.
	ClaimsRequest struct {
		Namespace string   `json:"namespace"`
		Claims    []string `json:"claims"`
	}
	// VolumeRequest names a generation of a claim.
	VolumeRequest struct {
		Namespace  string `json:"namespace"`
		Claim      string `json:"claim"`
		Generation string `json:"generation"`
	}
	// Failure is an error on its way to the client.
	Failure struct {
		Code    sluice.Code `json:"code"`
		Message string      `json:"message"`
		Hint    string      `json:"hint,omitempty"`
		Field   string      `json:"field,omitempty"`  // of the object, if one is wrong
		Output  string      `json:"output,omitempty"` // of a command that failed
	}
)
