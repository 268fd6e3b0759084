package rollout

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// steady waits until the workloads are ready and returns their pods, for the guard.
func steady(ctx context.Context, w ready.Waiter, refs []sluice.Ref) ([]sluice.Brought, error) {
	pods, err := w.Steady(ctx, refs)
	if err != nil {
		return nil, err
	}
	var list []sluice.Brought
	for _, ref := range refs {
		if len(pods[ref]) > 0 {
			newest := slices.MaxFunc(pods[ref], func(a, b sluice.Pod) int { return a.Created.Compare(b.Created) })
			list = append(list, broughtOf(ref, newest.Revision, pods[ref])...)
		}
	}
	return list, nil
}

// broughtOf returns those of the workload's pods that have the revision, none if no pod has it.
func broughtOf(ref sluice.Ref, revision string, pods []sluice.Pod) []sluice.Brought {
	pods = slices.DeleteFunc(slices.Clone(pods), func(p sluice.Pod) bool { return p.Revision != revision })
	if len(pods) == 0 {
		return nil
	}
	b := sluice.Brought{Workload: ref, Revision: revision, Restarts: map[string]int{}}
	for _, p := range pods {
		if p.Created.After(b.Newest) {
			b.Newest = p.Created
		}
		if p.Restarts > 0 {
			b.Restarts[p.Name] = p.Restarts
		}
	}
	if b.Unready = ready.Unready(pods); b.Unready > 0 {
		b.Pods = len(pods)
	}
	return []sluice.Brought{b}
}

// broughtBy returns the workloads whose pods apply brings: the canaries, and what goes straight to 100 %. Sets that
// change pod by pod get their new pods later.
func (s snapshot) broughtBy() []sluice.Ref {
	var refs []sluice.Ref
	for _, ref := range s.Canaries {
		refs = append(refs, delivery.CanaryOf(ref))
	}
	for _, b := range s.Before {
		isHeld := slices.Contains(s.Ordered, b.Ref) || slices.Contains(s.Kept, b.Ref)
		if slices.Contains(podWorkloads, b.Ref.Kind) && !isHeld {
			refs = append(refs, b.Ref)
		}
	}
	return refs
}

// resultOf returns the result of a step that brought pods, nil if it brought none.
func resultOf(list []sluice.Brought) *sluice.Result {
	if len(list) == 0 {
		return nil
	}
	return &sluice.Result{Brought: list}
}

// result returns the canaries' pods, and the pods of held sets that are new by now.
func (t tracks) result(ctx context.Context, canaries []sluice.Ref) (*sluice.Result, error) {
	list, err := steady(ctx, t.waiter, canaries)
	if err != nil {
		return nil, err
	}
	sets, err := t.held(ctx, t.objects)
	if err != nil {
		return nil, err
	}
	for _, o := range sets {
		revision, err := t.revision(ctx, o.Ref())
		if err != nil {
			return nil, err
		}
		pods, err := t.waiter.Steady(ctx, []sluice.Ref{o.Ref()})
		if err != nil {
			return nil, err
		}
		list = append(list, broughtOf(o.Ref(), revision, pods[o.Ref()])...)
	}
	return resultOf(list), nil
}
