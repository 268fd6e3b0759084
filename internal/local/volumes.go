package local

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

// Cut copies the claims at one instant; the pods that use them stand still meanwhile, at most for lease.
func (a *Account) Cut(
	ctx context.Context, namespace string, claims []string, generation string, lease time.Duration,
) (cut sluice.Cut, err error) {
	r := agent.CutRequest{Namespace: namespace, Claims: claims, Generation: generation, Lease: lease}
	return cut, call(ctx, a, "/cut", r, &cut)
}

// Stage makes an empty generation of a claim and returns where to fill it.
func (a *Account) Stage(ctx context.Context, namespace, claim, generation string) (sluice.Volume, error) {
	var v sluice.Volume
	err := call(ctx, a, "/stage", agent.VolumeRequest{Namespace: namespace, Claim: claim, Generation: generation}, &v)
	return v, err
}

// Use makes the generation the claim's current one and returns the name of the one before.
func (a *Account) Use(ctx context.Context, namespace, claim, generation string) (string, error) {
	var before string
	err := call(ctx, a, "/use", agent.VolumeRequest{Namespace: namespace, Claim: claim, Generation: generation}, &before)
	return before, err
}

// Discard deletes the generation.
func (a *Account) Discard(ctx context.Context, namespace, claim, generation string) error {
	return call(ctx, a, "/discard", agent.VolumeRequest{Namespace: namespace, Claim: claim, Generation: generation}, nil)
}
