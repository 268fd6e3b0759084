package local

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

// Describe says how each claim could be cut.
func (a *Account) Describe(ctx context.Context, namespace string, claims []string) ([]sluice.ClaimState, error) {
	var list []sluice.ClaimState
	err := call(ctx, a, "/claims", agent.ClaimsRequest{Namespace: namespace, Claims: claims}, &list)
	return list, err
}

// Cut copies the claims at one instant; the pods that use them stand still meanwhile, at most for lease.
func (a *Account) Cut(
	ctx context.Context, namespace string, claims []string, generation string, lease time.Duration,
) (cut sluice.Cut, err error) {
	r := agent.CutRequest{Namespace: namespace, Claims: claims, Generation: generation, Lease: lease}
	return cut, call(ctx, a, "/cut", r, &cut)
}

// Stage makes an empty generation of a claim and returns where to fill it. No storage here keeps snapshots.
func (a *Account) Stage(ctx context.Context, claim sluice.Object, generation, from string) (sluice.Volume, error) {
	var v sluice.Volume
	if from != "" {
		return v, sluice.Errorf(sluice.NotFound, "there is no kept snapshot %s", from)
	}
	err := call(ctx, a, "/stage", generationOf(claim, generation), &v)
	return v, err
}

// Use makes the generation the claim's current one and returns the name of the one before.
func (a *Account) Use(ctx context.Context, claim sluice.Object, generation string) (before string, err error) {
	if err := call(ctx, a, "/use", generationOf(claim, generation), &before); err != nil {
		return "", err
	}
	_, err = a.Get(ctx, claim.Ref())
	if sluice.ErrorCode(err) == sluice.NotFound {
		_, _, err = a.Apply(ctx, claim, false)
	}
	return before, err
}

func generationOf(claim sluice.Object, generation string) agent.VolumeRequest {
	ref := claim.Ref()
	return agent.VolumeRequest{Namespace: ref.Namespace, Claim: ref.Name, Generation: generation}
}

// Discard deletes the generation.
func (a *Account) Discard(ctx context.Context, namespace, claim, generation string) error {
	return call(ctx, a, "/discard", agent.VolumeRequest{Namespace: namespace, Claim: claim, Generation: generation}, nil)
}
