package rollout

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// sizedAt keeps, on a canary, how many pods its stable Deployment wanted before the rollout.
const sizedAt = "sluice-cd.github.io/replicas"

// keep means that the size stays as it is.
const keep = -1

// sizes returns how many pods each track has if only their numbers divide the traffic: n is what the stable Deployment
// wanted before the rollout, limit the most that a canary may have, 0 for n.
//
// Up to half, all n stable pods stay and the canary has n·p/(100−p) pods, rounded half up and at least one. Above it
// the canary has all n and the stable track shrinks to n·(100−p)/p, rounded the same way. So there are never fewer
// than n pods, and never more than 2n. If the stable track may not shrink, because something scales it, the canary
// grows instead, up to the limit. At 0 and 100 the Services choose the track, and nothing shrinks.
func sizes(n, percent, limit int) (stable, canary int) {
	switch {
	case percent <= 0:
		return n, keep
	case percent >= 100:
		return keep, n
	case percent <= 50:
		return n, max(1, share(n, percent))
	case limit > 0:
		return n, min(share(n, percent), max(n, limit))
	}
	return max(1, share(n, 100-percent)), n
}

// share returns n·p/(100−p), rounded half up: so many pods beside n others are p percent of all.
func share(n, p int) int { return (2*n*p + 100 - p) / (2 * (100 - p)) }

// A pair is a Deployment and its canary at a moment of the rollout.
type pair struct {
	stable, canary sluice.Object
	scaler         sluice.Object // the HorizontalPodAutoscaler of the stable one; nil if there is none
	byPods         bool          // the numbers of pods divide the traffic or, if there is no Service, the work
	served         bool          // a Service selects the pods
}

// shrunk reports whether the stable track was made smaller at the weight.
func (p pair) shrunk(percent int) bool { return p.scaler == nil && percent > 50 }

// wanted returns how many pods the stable Deployment must have when the traffic is no longer divided.
func (p pair) wanted() int {
	live := p.stable.Number(1, "spec", "replicas")
	if p.scaler != nil {
		return live
	}
	if n, err := strconv.Atoi(p.canary.Text("metadata", "annotations", sizedAt)); err == nil {
		return max(n, live) // somebody may have scaled it up since
	}
	return live
}

// sizes is the function of that name for the pair. If no Service selects the pods, none can take all traffic from the
// stable ones: at 100 % one of them is left.
func (p pair) sizes(percent int) (stable, canary int) {
	limit := 0
	if p.scaler != nil {
		limit = p.scaler.Number(1, "spec", "maxReplicas")
	}
	if !p.served {
		percent = min(percent, 99)
	}
	return sizes(p.wanted(), percent, limit)
}

// share says which share of the pods is new at the percentage, "" if their numbers divide nothing then.
func (p pair) share(percent int) string {
	stable, canary := p.sizes(percent)
	if canary < 0 && !p.served {
		canary = p.canary.Number(0, "spec", "replicas")
	}
	if !p.byPods || stable < 0 || canary < 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d pods of %s are new: %d %%", canary, stable+canary, p.stable.Ref(),
		(200*canary+stable+canary)/(2*(stable+canary)))
}

// shares says which shares of the traffic, or of the work, follow from the numbers of pods.
func shares(pairs []pair, percent int) string {
	var words []string
	for _, p := range pairs {
		words = append(words, p.share(percent))
	}
	return joined(words, ", ")
}

// joined joins the words that are there.
func joined(words []string, by string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), by)
}

// pairs reads the stable Deployments of the canaries, without those that are gone.
func (t tracks) pairs(ctx context.Context, canaries []delivery.Canary) ([]pair, error) {
	var list []pair
	for _, c := range canaries {
		p, stands, err := t.pair(ctx, c.Of.Ref(), c.Object)
		if err == nil && stands {
			p, err = t.divided(ctx, p, c.Of)
			list = append(list, p)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// divided returns the pair with what divides the traffic of the Deployment.
func (t tracks) divided(ctx context.Context, p pair, deployment sluice.Object) (pair, error) {
	served, err := t.isServed(ctx, t.objects, deployment)
	p.served, p.byPods = served, !served || !t.weighs()
	return p, err
}

// pair reads the stable Deployment of the canary, and its autoscaler. stands is false if the Deployment is gone.
func (t target) pair(ctx context.Context, ref sluice.Ref, canary sluice.Object) (p pair, stands bool, err error) {
	stable, err := object.Get(ctx, t.account, ref)
	if err != nil || stable == nil {
		return pair{}, false, err
	}
	scalers, err := t.account.List(ctx, "autoscaling/v2", "HorizontalPodAutoscaler", ref.Namespace)
	if err != nil {
		return pair{}, false, object.WithOp("list the autoscalers for", ref, err)
	}
	p = pair{stable: stable, canary: canary}
	for _, s := range scalers {
		kind, name := s.Text("spec", "scaleTargetRef", "kind"), s.Text("spec", "scaleTargetRef", "name")
		if kind == ref.Kind && name == ref.Name {
			p.scaler = s
			break
		}
	}
	return p, true, nil
}
