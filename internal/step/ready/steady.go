package ready

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Steady is Ready for workloads, and also waits until none of their pods has ended since it was ready. It returns the
// pods, without those that are being deleted: they are ready, except for as many as may be unready. It returns none if
// the right to list them is missing.
func (w Waiter) Steady(ctx context.Context, refs []sluice.Ref) (map[sluice.Ref][]sluice.Pod, error) {
	for {
		if err := w.Ready(ctx, refs); err != nil {
			return nil, err
		}
		pods, unready, err := w.podsOf(ctx, refs)
		if err != nil || unready.Name == "" {
			return pods, err
		}
		err = w.Watch(ctx, unready, func(o sluice.Object) (bool, string, error) {
			_, still, err := w.podsOf(ctx, []sluice.Ref{unready})
			isReady := manifest.StatusWithin(o, w.MaxUnready).Phase == manifest.Ready
			return still.Name == "" || !isReady, "a pod is not ready any more", err
		})
		if IsTimeout(err) {
			err = w.unready(ctx, unready, "is not ready in time", "a pod was ready and is not any more")
		}
		if err != nil {
			return nil, err
		}
	}
}

// podsOf returns the pods of the workloads, and a workload with more unready pods than it may have if there is one.
func (w Waiter) podsOf(
	ctx context.Context, refs []sluice.Ref,
) (pods map[sluice.Ref][]sluice.Pod, unready sluice.Ref, err error) {
	pods = map[sluice.Ref][]sluice.Pod{}
	listed := map[string][]sluice.Pod{}
	for _, ref := range refs {
		if _, known := listed[ref.Namespace]; !known {
			of := inNamespace(refs, ref.Namespace)
			if listed[ref.Namespace], err = Pods(ctx, w.Account, ref.Namespace, of...); err != nil {
				return nil, unready, err
			}
		}
		for _, p := range listed[ref.Namespace] {
			if p.Owner != ref.String() {
				continue
			}
			pods[ref] = append(pods[ref], p)
		}
		if Unready(pods[ref]) > w.MaxUnready.Of(len(pods[ref])) {
			unready = ref
		}
	}
	return pods, unready, nil
}

func inNamespace(refs []sluice.Ref, namespace string) []sluice.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r sluice.Ref) bool { return r.Namespace != namespace })
}

// Unready counts the pods that are not ready.
func Unready(pods []sluice.Pod) (n int) {
	for _, p := range pods {
		if !p.Ready {
			n++
		}
	}
	return n
}

// Pods lists the pods of the namespace that are not being deleted, none if the right to list them is missing.
// Of these it lists only those of the workloads, if any are named.
func Pods(ctx context.Context, a sluice.Account, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	pods, err := a.Pods(ctx, namespace, of...)
	if sluice.ErrorCode(err) == sluice.Denied {
		return nil, nil
	}
	return slices.DeleteFunc(pods, func(p sluice.Pod) bool { return p.Ending }), err
}
