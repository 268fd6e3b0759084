package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// A tracks is a target's stable and canary pods during a rollout.
type tracks struct {
	target
	objects []sluice.Object
	waiter  ready.Waiter
}

// A move is a change of the traffic's division. On the way to the new version the canaries have to be ready before
// they get traffic. On the way back the stable pods have to be ready: the canaries may be broken.
type move struct {
	percent  int
	services []string // none: all
	back     bool
	all      bool // every canary that the deployment brought has to stand
}

// moveTo sends the percentage of the traffic to the canaries, and says what the new version gets by that; "" if there
// is no canary. The canaries that have to grow are ready before traffic moves; those that need fewer pods shrink
// afterwards.
func (t tracks) moveTo(ctx context.Context, m move) (gets string, err error) {
	canaries, _, err := delivery.Canaries(ctx, t.account, t.objects, t.sc.Deployment)
	if err != nil {
		return "", err
	}
	canaries = lasting(canaries)
	if m.all {
		if err := allStand(t.sc, canaries); err != nil {
			return "", err
		}
	}
	list, err := t.divisions(ctx, t.objects, declared(canaries))
	if err != nil {
		return "", err
	}
	pairs, err := t.pairs(ctx, canaries)
	if err != nil {
		return "", err
	}
	list = serving(toCanaries(list, canaries), pairs, m.percent)
	if len(m.services) > 0 {
		return "", t.shift(ctx, ofServices(list, m.services), m.percent)
	}
	if err := t.grow(ctx, pairs, m); err != nil {
		return "", err
	}
	if err := t.shift(ctx, list, m.percent); err != nil {
		return "", err
	}
	words := []string{t.routed(list, m.percent), shares(pairs, m.percent)}
	return joined(words, "; "), t.shrink(ctx, pairs, m)
}

// serving adds to the divisions how many stable pods serve at the percentage.
func serving(list []sluice.Division, pairs []pair, percent int) []sluice.Division {
	for i := range list {
		for _, p := range pairs {
			if p.byPods && p.stable.Ref().Name == list[i].Stable {
				list[i].Serving, _ = p.sizes(percent)
			}
		}
	}
	return list
}

// allStand returns an error if a canary that the deployment brought to the target is gone: then only the old version
// is left, whatever the weight.
func allStand(sc sluice.StepContext, standing []delivery.Canary) error {
	for _, ref := range sibling.Canaries(sc) {
		if !slices.ContainsFunc(standing, func(c delivery.Canary) bool { return c.Object.Ref() == ref }) {
			return sluice.Errorf(sluice.Failed, "the canary %s is gone: somebody deleted it", ref).
				WithHint("deploy again, and do not delete objects with the annotation %s during a rollout", delivery.MadeBy)
		}
	}
	return nil
}

// lasting leaves out canaries that are being deleted: they can get no traffic any more.
func lasting(list []delivery.Canary) []delivery.Canary {
	return slices.DeleteFunc(slices.Clone(list), func(c delivery.Canary) bool {
		return c.Object.Text("metadata", "deletionTimestamp") != ""
	})
}

// declared returns the stable Deployments of the canaries.
func declared(list []delivery.Canary) []sluice.Object {
	var objects []sluice.Object
	for _, c := range list {
		objects = append(objects, c.Of)
	}
	return objects
}

// routed says that Services give the new version its percentage, and names those that do not. At 0 and 100 % all do.
func (t tracks) routed(list []sluice.Division, percent int) string {
	isWhole := percent == 0 || percent == 100
	if len(list) == 0 || !isWhole && !t.weighs() {
		return ""
	}
	share := fmt.Sprintf("%d %% of the traffic goes to the new version", percent)
	names := unrouted(list, t.sc)
	if isWhole || len(names) == 0 {
		return share
	}
	others := "no route names Service/" + strings.Join(names, ", Service/") +
		", which stays with the old version until 100 %"
	if len(names) == len(list) {
		return others
	}
	return share + "; " + others
}

// grow scales up the canaries and waits until they are ready, also if an earlier call had scaled them. If weights
// divide the traffic, a canary gets as many pods as its Deployment will have: somebody, or an autoscaler, may have
// added some since it came. On the way back it gives the Deployment the pods that an earlier version of Sluice took
// away.
func (t tracks) grow(ctx context.Context, pairs []pair, m move) error {
	var awaited []sluice.Ref
	for _, p := range pairs {
		o, want := p.canary, 0
		switch {
		case !m.back && m.percent > 0:
			_, want = p.sizes(m.percent)
		case m.back && p.canary.Text("metadata", "annotations", sizedTo) == "":
			o, want = p.stable, p.promoted()
		}
		more := want > o.Number(1, "spec", "replicas")
		if !more && (m.back || want <= 0 || ready.Is(o)) {
			continue
		}
		if more {
			if err := object.Scale(ctx, t.account, o.Ref(), want); err != nil {
				return err
			}
		}
		awaited = append(awaited, o.Ref())
	}
	return t.waiter.Ready(ctx, awaited)
}

// shrink scales down canaries that have more pods than they need where their numbers divide the traffic, and waits
// until they are fewer. On the way back it does not wait for the canaries, which may be broken.
func (t tracks) shrink(ctx context.Context, pairs []pair, m move) error {
	var scaled []sluice.Ref
	for _, p := range pairs {
		_, want := p.sizes(m.percent)
		if !p.byPods || want < 0 || want >= p.canary.Number(1, "spec", "replicas") {
			continue
		}
		if err := object.Scale(ctx, t.account, p.canary.Ref(), want); err != nil {
			return err
		}
		if !m.back {
			scaled = append(scaled, p.canary.Ref())
		}
	}
	return t.waiter.Ready(ctx, scaled)
}

// withdraw takes the traffic away from the canaries, then removes the canaries with their configuration, then
// everything that divided the traffic. It does not repeat what was done before.
func (t tracks) withdraw(ctx context.Context, snap snapshot) error {
	deployments := pick(t.objects, snap.Canaries)
	list, err := t.divisions(ctx, t.objects, deployments)
	if err != nil {
		return err
	}
	canaries, _, err := delivery.Canaries(ctx, t.account, deployments, t.sc.Deployment)
	if err != nil {
		return err
	}
	list = toCanaries(list, canaries)
	divided := slices.DeleteFunc(slices.Clone(list), func(d sluice.Division) bool {
		return !slices.ContainsFunc(canaries, func(c delivery.Canary) bool { return c.Of.Ref().Name == d.Stable })
	})
	if err := t.haveStable(ctx, canaries); err != nil {
		return err
	}
	if err := t.shift(ctx, divided, 0); err != nil && !serveNobody(canaries, err) {
		return err
	}
	for _, c := range canaries {
		if err := t.deleteCanary(ctx, c.Object.Ref()); err != nil {
			return err
		}
	}
	if err := t.release(ctx, list); err != nil {
		return err
	}
	return t.deleteVersions(ctx, snap)
}

// haveStable returns an error if the Deployment of a canary is gone while the canary's pods serve: they are the last.
func (t tracks) haveStable(ctx context.Context, canaries []delivery.Canary) error {
	for _, c := range canaries {
		stable, err := object.Get(ctx, t.account, c.Of.Ref())
		if err != nil {
			return err
		}
		if stable == nil && c.Object.Number(0, "status", "readyReplicas") > 0 {
			return sluice.Errorf(sluice.Failed, "%s is gone, and %s has the only pods that are ready, so it stays",
				c.Of.Ref(), c.Object.Ref()).WithHint("deploy again: the next release replaces both")
		}
	}
	return nil
}

// deleteVersions deletes the versions of the configuration that the deployment brought and no Deployment uses.
func (t tracks) deleteVersions(ctx context.Context, snap snapshot) error {
	for _, config := range pick(t.objects, snap.Deferred) {
		v, err := versionOf(config, t.sc.Deployment)
		if err != nil {
			return err
		}
		used := false
		for _, ref := range snap.Canaries {
			now, err := object.Get(ctx, t.account, ref)
			if err != nil {
				return err
			}
			used = used || now != nil && uses(now, v)
		}
		if used {
			continue
		}
		if err := delivery.Delete(ctx, t.account, v.Ref(), t.sc.Deployment); err != nil {
			return err
		}
	}
	return nil
}

// serveNobody reports whether the canaries can be removed although the stable pods could not take their traffic: there
// is no Service, or no pod of either version is ready, so nobody loses anything.
func serveNobody(canaries []delivery.Canary, err error) bool {
	switch sluice.ErrorCode(err) {
	case sluice.NotFound:
		return true
	case sluice.Failed:
		return !slices.ContainsFunc(canaries, func(c delivery.Canary) bool {
			return c.Object.Number(0, "status", "readyReplicas") > 0
		})
	}
	return false
}

// deleteCanary deletes a canary. Even if its pods end slowly, or are on a dead node, it has no traffic any more.
func (t tracks) deleteCanary(ctx context.Context, canary sluice.Ref) error {
	err := object.Delete(ctx, t.account, canary)
	if sluice.ErrorCode(err) != sluice.Failed {
		return err
	}
	now, lookErr := object.Get(ctx, t.account, canary)
	if lookErr != nil || now != nil && now.Text("metadata", "deletionTimestamp") == "" {
		return err
	}
	t.waiter.Report(sluice.Progress{State: sluice.Running,
		Message: canary.String() + " is being deleted, which takes long; it has no traffic any more"})
	return nil
}

// removeLeft removes canaries that an earlier deployment had to leave: its own undo found no other pods that serve.
// They are deleted last, when they have no pods: while they exist, a call after a crash sees that there is work left.
func (t tracks) removeLeft(ctx context.Context, deployments []sluice.Object) error {
	_, left, err := delivery.Canaries(ctx, t.account, deployments, t.sc.Deployment)
	if err != nil || len(left) == 0 {
		return err
	}
	list, err := t.divisions(ctx, t.objects, declared(left))
	if err != nil {
		return err
	}
	list = toCanaries(list, left)
	if err := t.shift(ctx, list, 0); err != nil {
		return err
	}
	var refs []sluice.Ref
	for _, c := range left {
		refs = append(refs, c.Object.Ref())
		if err := object.Scale(ctx, t.account, c.Object.Ref(), 0); err != nil {
			return err
		}
	}
	if err := t.waiter.Ready(ctx, refs); err != nil {
		return err
	}
	if err := t.release(ctx, list); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := object.Delete(ctx, t.account, ref); err != nil {
			return err
		}
	}
	return nil
}
