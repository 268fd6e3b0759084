package sluice

import "context"

// A Right is one thing that Sluice may have to do in an account.
type Right struct {
	Verb      string `json:"verb"`
	Group     string `json:"group,omitempty"`     // "" for the core group
	Resource  string `json:"resource"`            // plural, with the subresource, as in pods/exec
	Namespace string `json:"namespace,omitempty"` // "" for resources without a namespace
	Feature   string `json:"feature,omitempty"`   // what needs it; "" if only the plan's own objects need it
	// Dispensable says that a deployment goes on without the right: errors say less, broken pods are not replaced, or the
	// cluster names what Sluice would name.
	Dispensable bool `json:"dispensable,omitempty"`
}

// A Reviewer knows which rights Sluice lacks in an account.
type Reviewer interface {
	// Missing returns the rights that the plan needs in the target's account and that Sluice does not have there.
	// It only reads. A right that cannot be judged does not count as missing.
	Missing(ctx context.Context, p *Plan, target string) ([]Right, error)
}

// A MissingRight is a right that Sluice does not have in an account.
type MissingRight struct {
	Account string `json:"account"`
	Right
}
