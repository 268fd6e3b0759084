package volume

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Cut holds claims that no pod uses.
func (v *Volumes) Cut(
	ctx context.Context, namespace string, claims []string, generation string, lease time.Duration,
) (sluice.Cut, error) {
	states, err := v.Describe(ctx, namespace, claims)
	if err != nil {
		return sluice.Cut{}, err
	}
	return held(namespace, states, generation)
}

// held is the cut of claims that stay as they are while nobody uses them.
func held(namespace string, states []sluice.ClaimState, generation string) (sluice.Cut, error) {
	cut := sluice.Cut{At: time.Now(), Held: true}
	for _, s := range states {
		if len(s.Users) > 0 {
			at := slices.IndexFunc(states, func(s sluice.ClaimState) bool { return s.Way == sluice.CutIdle })
			return sluice.Cut{}, sluice.Errorf(sluice.Unsupported, "the claim %s in %s cannot be copied while %s uses it: %s",
				s.Claim, namespace, strings.Join(s.Users, ", "), states[at].Reason).
				WithHint("stop the workload while it is copied, with quiesce: stop")
		}
		cut.Volumes = append(cut.Volumes, sluice.Volume{
			Namespace: namespace, Claim: s.Claim, Generation: generation, Mount: s.Claim,
		})
	}
	return cut, nil
}
