package ready

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// settleTime is how long a workload must stay ready after one of its pods crashed during the wait. A crashing pod is
// ready again and again for a moment, and a busy node tells of each end late.
const settleTime = 10 * time.Second

// errSettled ends a watch in which nothing became unready.
var errSettled = errors.New("the workload stayed ready")

// settledOfKind waits until the objects are ready, and those that crashed meanwhile stay ready.
func (w Waiter) settledOfKind(ctx context.Context, kind sluice.Ref, refs []sluice.Ref) error {
	crashed := newCrashes(w.Account)
	for {
		if err := w.readyOfKind(ctx, kind, refs, crashed); err != nil {
			return err
		}
		unsettled := crashed.among(refs)
		if len(unsettled) == 0 {
			return nil
		}
		if stayed, err := w.stays(ctx, kind, unsettled); stayed || err != nil {
			return err
		}
	}
}

// stays reports whether the workloads stay ready, and none of their pods is restarted, for settleTime. Pods that may be
// unready may be restarted too.
func (w Waiter) stays(ctx context.Context, kind sluice.Ref, workloads []sluice.Ref) (bool, error) {
	before, _, err := w.podsOf(ctx, workloads)
	if err != nil {
		return false, err
	}
	for _, ref := range workloads {
		w.Report(sluice.Progress{State: sluice.Running,
			Message: ref.String() + ": a pod crashed; it must stay ready for " + settleTime.String()})
	}
	settling, end := context.WithTimeoutCause(ctx, settleTime, errSettled)
	defer end()
	err = w.each(settling, together(kind, workloads), func(o sluice.Object, gone bool) (bool, error) {
		ready := !gone && manifest.StatusWithin(o, w.MaxUnready).Phase == manifest.Ready
		return !ready && slices.Contains(workloads, named(kind, o.Ref().Name)), nil
	})
	switch {
	case err == nil:
		return false, nil
	case IsTimeout(err):
		return false, w.unready(ctx, workloads[0], "is not ready in time",
			"a pod crashed, and since then it was not ready for "+settleTime.String())
	case ctx.Err() != nil || !errors.Is(context.Cause(settling), errSettled):
		return false, err
	}
	after, _, err := w.podsOf(ctx, workloads)
	return !slices.ContainsFunc(workloads, func(r sluice.Ref) bool {
		return restarted(before[r], after[r]) > w.MaxUnready.Of(len(after[r]))
	}), err
}

// restarted counts the pods that were restarted in between. A pod that is new counts if it was restarted at all.
func restarted(before, after []sluice.Pod) (n int) {
	restarts := map[string]int{}
	for _, p := range before {
		restarts[p.Name] = p.Restarts
	}
	for _, p := range after {
		if p.Restarts > restarts[p.Name] {
			n++
		}
	}
	return n
}
