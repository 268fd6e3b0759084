package rollout

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// A tracks is a target's stable and canary pods while it is rolled out.
type tracks struct {
	account sluice.Account
	sc      sluice.StepContext
	objects []sluice.Object
	watcher ready.Waiter
}

// A move is a change of the traffic's division. On the way to the new version the canaries are what has to be ready
// before anything shrinks, on the way back the stable pods are: what is left behind may be broken.
type move struct {
	percent  int
	services []string // none: all
	back     bool
	from     int  // the weight that is left, on the way back
	all      bool // every canary that the deployment brought has to stand
}

// moveTo sends the percentage of the traffic to the canaries and reports how many Services it divided, and which
// share it is where it is not exact. What has to grow grows first and is ready before traffic moves; what may
// shrink does so afterwards.
func (t tracks) moveTo(ctx context.Context, m move) (divided int, shown string, err error) {
	standing, err := delivery.Canaries(ctx, t.account, t.objects, delivery.Of(t.sc.Deployment))
	if err != nil {
		return 0, "", err
	}
	standing = lasting(standing)
	if m.all {
		if err := allStand(t.sc, standing); err != nil {
			return 0, "", err
		}
	}
	list, err := divisions(ctx, t.account, t.sc, t.objects, declared(standing))
	if err != nil {
		return 0, "", err
	}
	list = only(list, m.services)
	if len(m.services) > 0 {
		return len(list), "", shift(ctx, t.account, list, m.percent)
	}
	pairs, err := t.pairs(ctx, standing)
	if err != nil {
		return 0, "", err
	}
	if t.account.Weighs(t.sc.Target.Traffic) {
		if err := t.match(ctx, pairs, m); err != nil {
			return 0, "", err
		}
		divided, shown = t.routed(list, m.percent)
		return divided, shown, shift(ctx, t.account, list, m.percent)
	}
	if err := t.grow(ctx, pairs, m); err != nil {
		return 0, "", err
	}
	if err := shift(ctx, t.account, list, m.percent); err != nil {
		return 0, "", err
	}
	return len(standing), describe(pairs, m.percent), t.shrink(ctx, pairs, m)
}

// routed counts the Services that get the weight, and names the others.
func (t tracks) routed(list []sluice.Division, percent int) (n int, others string) {
	names := unrouted(list, t.sc)
	if percent == 0 || percent == 100 || len(names) == 0 {
		return len(list), ""
	}
	return len(list) - len(names), "no route names Service/" + strings.Join(names, ", Service/") + ", which stays with the old version until 100 %"
}

func describe(pairs []pair, percent int) string {
	var words []string
	for _, p := range pairs {
		if s := p.shown(percent); s != "" {
			words = append(words, s)
		}
	}
	return strings.Join(words, ", ")
}

func (t tracks) pairs(ctx context.Context, standing []delivery.Pair) ([]pair, error) {
	var list []pair
	for _, b := range standing {
		p, ok, err := pairOf(ctx, t.account, b.Declared.Ref(), b.Canary)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, p)
		}
	}
	return list, nil
}

// grow scales up the track that gets more traffic, and waits until it is ready, also where a call before this one had
// scaled it. Stable pods that were never made fewer are not waited for on the way back: no traffic stays at a canary that
// failed because one of them is not ready.
func (t tracks) grow(ctx context.Context, pairs []pair, m move) error {
	var awaited []sluice.Ref
	for _, p := range pairs {
		stable, canary := p.sizes(m.percent)
		o, want := p.canary, canary
		if m.back {
			o, want = p.stable, stable
		}
		more := want > o.Number(1, "spec", "replicas")
		if !more && (want < 0 || ready.Is(o) || m.back && !p.shrunk(m.from)) {
			continue
		}
		if more {
			if err := object.Scale(ctx, t.account, o.Ref(), want); err != nil {
				return err
			}
		}
		awaited = append(awaited, o.Ref())
	}
	return t.watcher.Ready(ctx, awaited)
}

// match gives canaries as many pods as the stable track has by now, where weights divide the traffic and a scaler may have
// added some since the canaries came.
func (t tracks) match(ctx context.Context, pairs []pair, m move) error {
	if m.back || m.percent == 0 {
		return nil
	}
	var awaited []sluice.Ref
	for _, p := range pairs {
		if want := p.wanted(); want > p.canary.Number(1, "spec", "replicas") {
			if err := object.Scale(ctx, t.account, p.canary.Ref(), want); err != nil {
				return err
			}
		} else if ready.Is(p.canary) {
			continue
		}
		awaited = append(awaited, p.canary.Ref())
	}
	return t.watcher.Ready(ctx, awaited)
}

// clear takes away canaries that an earlier deployment had to leave: its own undo found no other pods that serve. They go
// last, without pods, since they are what tells a call after a crash that something is left to do.
func (t tracks) clear(ctx context.Context, deployments []sluice.Object) error {
	left, err := delivery.Canaries(ctx, t.account, deployments, delivery.Others(t.sc.Deployment))
	if err != nil || len(left) == 0 {
		return err
	}
	list, err := divisions(ctx, t.account, t.sc, t.objects, declared(left))
	if err != nil {
		return err
	}
	if err := shift(ctx, t.account, list, 0); err != nil {
		return err
	}
	var refs []sluice.Ref
	for _, b := range left {
		refs = append(refs, b.Canary.Ref())
		if err := object.Scale(ctx, t.account, b.Canary.Ref(), 0); err != nil {
			return err
		}
	}
	if err := t.watcher.Ready(ctx, refs); err != nil {
		return err
	}
	if err := release(ctx, t.account, list); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := object.Delete(ctx, t.account, ref); err != nil {
			return err
		}
	}
	return nil
}

// shrink scales down what has more pods than it needs, and waits until they are fewer. On the way back the stable pods are
// not made fewer, and the canaries, which may be broken, are not waited for.
func (t tracks) shrink(ctx context.Context, pairs []pair, m move) error {
	var scaled []sluice.Ref
	for _, p := range pairs {
		stable, canary := p.sizes(m.percent)
		if m.back {
			stable = keep
		}
		for _, e := range []struct {
			o    sluice.Object
			want int
		}{{p.stable, stable}, {p.canary, canary}} {
			if e.want < 0 || e.want >= e.o.Number(1, "spec", "replicas") {
				continue
			}
			if err := object.Scale(ctx, t.account, e.o.Ref(), e.want); err != nil {
				return err
			}
			if !m.back {
				scaled = append(scaled, e.o.Ref())
			}
		}
	}
	return t.watcher.Ready(ctx, scaled)
}

// withdraw takes the traffic away from the canaries of the Deployments, then the canaries, then all that divided the
// traffic. Whatever of it was done before is not done again.
func (t tracks) withdraw(ctx context.Context, stable []sluice.Ref) error {
	deployments := pick(t.objects, stable)
	list, err := divisions(ctx, t.account, t.sc, t.objects, deployments)
	if err != nil {
		return err
	}
	standing, err := delivery.Canaries(ctx, t.account, deployments, delivery.Of(t.sc.Deployment))
	if err != nil {
		return err
	}
	divided := slices.DeleteFunc(slices.Clone(list), func(d sluice.Division) bool {
		return !slices.ContainsFunc(standing, func(b delivery.Pair) bool { return b.Declared.Text("metadata", "name") == d.Stable })
	})
	if err := shift(ctx, t.account, divided, 0); err != nil && !goes(err, standing) {
		return err
	}
	for _, b := range standing {
		if err := t.drop(ctx, b.Canary.Ref()); err != nil {
			return err
		}
	}
	return release(ctx, t.account, list)
}

// drop removes a canary. One whose pods end slowly, or are on a node that died, is gone as far as the traffic is concerned.
func (t tracks) drop(ctx context.Context, canary sluice.Ref) error {
	err := object.Delete(ctx, t.account, canary)
	if sluice.ErrorCode(err) != sluice.Failed {
		return err
	}
	now, lookErr := object.Get(ctx, t.account, canary)
	if lookErr != nil || now != nil && now.Text("metadata", "deletionTimestamp") == "" {
		return err
	}
	t.watcher.Report(sluice.Progress{State: sluice.Running, Message: canary.String() + " is being deleted, which takes long; it has no traffic any more"})
	return nil
}

// goes reports whether canaries go although their traffic could not be given to the stable pods: there is no Service, or no
// pod of either is ready, so nobody loses anything.
func goes(err error, standing []delivery.Pair) bool {
	switch sluice.ErrorCode(err) {
	case sluice.NotFound:
		return true
	case sluice.Failed:
		return !slices.ContainsFunc(standing, func(b delivery.Pair) bool { return b.Canary.Number(0, "status", "readyReplicas") > 0 })
	}
	return false
}
