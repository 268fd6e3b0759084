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
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// Annotations on a canary: how many pods its Deployment wanted when the canary came, and how many it will want after
// promotion, as the file says.
const (
	sizedAt = "sluice-cd.github.io/replicas"
	sizedTo = "sluice-cd.github.io/replicas-promoted"
)

// keep means that the size stays as it is.
const keep = -1

// sizes returns how many pods divide the traffic, or the work, at the percentage, if only their numbers divide it: n is
// how many stable pods there are, all of which stay, and m how many the new version will have. Of the stable pods
// serving get traffic, 0 for all; canary is how many pods the canary has.
//
// While the canary needs no more than its m pods, all n stable ones serve beside n·p/(100−p) of it. Above that the
// canary has all m, and m·(100−p)/p of the stable pods serve. Both are rounded half up and at least one. So at least as
// many pods serve as before or after, there are never more than n+m, and no stable pod is stopped. At 0 and 100 the
// Services choose the version.
func sizes(n, m, percent int) (serving, canary int) {
	switch {
	case percent <= 0:
		return 0, keep
	case percent >= 100:
		return 0, m
	}
	if canary = max(1, share(n, percent)); canary <= m {
		return 0, canary
	}
	return min(n, max(1, share(m, 100-percent))), m
}

// share returns n·p/(100−p), rounded half up: so many pods beside n others are p percent of all.
func share(n, p int) int { return (2*n*p + 100 - p) / (2 * (100 - p)) }

// A pair is a Deployment and its canary at a moment of the rollout.
type pair struct {
	stable, canary sluice.Object
	byPods         bool // the numbers of pods divide the traffic or, if there is no Service, the work
	served         bool // a Service selects the pods
}

// promoted returns how many pods the new version will have after promotion: as many as the file says or, if it says
// nothing or somebody has scaled the Deployment since, as many as the Deployment has now.
func (p pair) promoted() int {
	live := p.stable.Number(1, "spec", "replicas")
	was, err := strconv.Atoi(p.canary.Text("metadata", "annotations", sizedAt))
	to, err2 := strconv.Atoi(p.canary.Text("metadata", "annotations", sizedTo))
	switch {
	case err != nil:
		return live
	case err2 != nil:
		return max(was, live) // an earlier version made the stable Deployment smaller meanwhile
	case live != was:
		return live
	}
	return to
}

// sizes is the function of that name for the pair. If no Service selects the pods, all stable ones go on to work.
func (p pair) sizes(percent int) (serving, canary int) {
	n := p.stable.Number(1, "spec", "replicas")
	if !p.byPods {
		return 0, p.promoted()
	}
	return sizes(n, p.promoted(), percent)
}

// share says which share of the pods is new at the percentage, "" if their numbers divide nothing then.
func (p pair) share(percent int) string {
	serving, canary := p.sizes(percent)
	if canary < 0 && !p.served {
		canary = p.canary.Number(0, "spec", "replicas")
	}
	if !p.byPods || canary < 0 || p.served && percent >= 100 {
		return ""
	}
	old := p.stable.Number(1, "spec", "replicas")
	if p.served && serving > 0 {
		old = serving
	}
	if old+canary == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d pods of %s are new: %d %%", canary, old+canary, p.stable.Ref(),
		(200*canary+old+canary)/(2*(old+canary)))
	if !p.served && percent*(old+canary) > 100*canary && canary == p.promoted() {
		text += ", more only at promotion"
	}
	return text
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

// firstSize returns how many pods the canary begins with: as many as the first weight needs.
func (p pair) firstSize(sc sluice.StepContext) int {
	if !p.byPods {
		return p.promoted()
	}
	_, size := sizes(p.stable.Number(1, "spec", "replicas"), p.promoted(), sibling.FirstWeight(sc))
	return size
}

// pairs reads the stable Deployments of the canaries, without those that are gone.
func (t tracks) pairs(ctx context.Context, canaries []delivery.Canary) ([]pair, error) {
	var list []pair
	for _, c := range canaries {
		stable, err := object.Get(ctx, t.account, c.Of.Ref())
		if err != nil {
			return nil, err
		}
		if stable == nil {
			continue
		}
		p, err := t.divided(ctx, pair{stable: stable, canary: c.Object}, c.Of)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// divided returns the pair with what divides the traffic of the Deployment.
func (t tracks) divided(ctx context.Context, p pair, deployment sluice.Object) (pair, error) {
	served, err := t.isServed(ctx, t.objects, deployment)
	p.served, p.byPods = served, !served || !t.weighs()
	return p, err
}
