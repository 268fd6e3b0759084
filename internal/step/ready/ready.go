// Package ready waits for objects of an account: until a workload is ready, or until an object is as a step expects it.
package ready

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// DefaultTimeout bounds a wait that declares no bound of its own.
const DefaultTimeout = 30 * time.Minute

// Glance bounds the one look that is taken after the deadline. So a step sees what happened while Sluice itself did not
// run, however long that was.
const Glance = 5 * time.Second

// errTimeout ends a watch at its deadline.
var errTimeout = errors.New("the time is over")

// IsTimeout reports whether a wait ended at its deadline.
func IsTimeout(err error) bool { return errors.Is(err, errTimeout) }

// A Waiter waits for objects of one account until a deadline. A wait that is repeated after a crash ends at the same
// instant.
type Waiter struct {
	Account    sluice.Account
	Deadline   time.Time
	MaxUnready sluice.Tolerance // of each workload
	Now        func() time.Time
	Report     func(sluice.Progress)
}

// Watch calls look with the object now and whenever it changes, until look says that it is done or returns an error.
// At the deadline it returns an error for which IsTimeout is true. It skips an object that is gone.
func (w Waiter) Watch(
	ctx context.Context, ref sluice.Ref, look func(sluice.Object) (done bool, missing string, err error),
) error {
	return w.Trace(ctx, ref, func(o sluice.Object, gone bool) (bool, string, error) {
		if gone {
			return false, "it does not exist", nil
		}
		return look(o)
	})
}

// Trace is Watch for an object that may end by itself: look also gets the last state of one that is gone. If there is
// no object at first, look gets that too, as one that is gone and has no state.
func (w Waiter) Trace(
	ctx context.Context, ref sluice.Ref, look func(o sluice.Object, gone bool) (done bool, missing string, err error),
) error {
	return w.each(ctx, ref, func(o sluice.Object, gone bool) (bool, error) {
		done, missing, err := look(o, gone)
		if !done && err == nil {
			w.Report(sluice.Progress{State: sluice.Running, Message: ref.String() + ": " + missing})
		}
		return done, err
	})
}

// Bounded returns a context that ends at the deadline, after a glance at the earliest.
func (w Waiter) Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, max(w.Deadline.Sub(w.Now()), Glance), errTimeout)
}

// each calls look with the object, or with all of its kind and namespace if ref names none, now and whenever they
// change. Of one that is gone, look gets the last state.
func (w Waiter) each(
	ctx context.Context, ref sluice.Ref, look func(o sluice.Object, gone bool) (done bool, err error),
) error {
	bounded, cancel := w.Bounded(ctx)
	defer cancel()
	changes := w.Account.Follow(bounded, ref)
	if ref.Name == "" {
		changes = w.Account.Watch(bounded, ref.APIVersion, ref.Kind, ref.Namespace)
	}
	for o, err := range changes {
		if err != nil {
			return ended(ctx, bounded, err)
		}
		gone := o.Text("metadata", "deletionTimestamp") != ""
		if gone {
			o = o.Clone()
			delete(o["metadata"].(map[string]any), "deletionTimestamp")
		}
		if done, err := look(o, gone); done || err != nil {
			return err
		}
	}
	return ended(ctx, bounded, sluice.Errorf(sluice.Unavailable, "the account stopped reporting changes"))
}

// ended says why a watch ended: the caller ended it, its deadline came, or the account went away.
func ended(ctx, bounded context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if context.Cause(bounded) != nil {
		return errTimeout
	}
	return err
}

// Bounds of what an error quotes: the last lines of a pod, the length of a line, and the number of pods.
const (
	tail    = 8
	maxLine = 300
	maxPods = 2
)

// Is reports whether the object is ready.
func Is(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready }

// Ready waits until every object is ready, except for as many pods of a workload as may be unready. Objects of one kind
// and namespace share one watch. A Job is ready when it has succeeded. A workload of which a pod crashes meanwhile must
// also stay ready for 10 s without another crash. If an object cannot become ready, or is not ready at the deadline,
// the error is Failed: it names the object, what is missing and what its pods said.
func (w Waiter) Ready(ctx context.Context, refs []sluice.Ref) error {
	kinds := map[sluice.Ref][]sluice.Ref{}
	var order []sluice.Ref
	for _, ref := range refs {
		if ref.Kind == "Job" {
			if err := w.jobEnds(ctx, ref); err != nil {
				return err
			}
			continue
		}
		kind := ref
		kind.Name = ""
		if len(kinds[kind]) == 0 {
			order = append(order, kind)
		}
		kinds[kind] = append(kinds[kind], ref)
	}
	for _, kind := range order {
		if err := w.settledOfKind(ctx, kind, kinds[kind]); err != nil {
			return err
		}
	}
	return nil
}

// readyOfKind waits until the objects are ready, and notes which of them crash.
func (w Waiter) readyOfKind(ctx context.Context, kind sluice.Ref, refs []sluice.Ref, crashed crashes) error {
	missing := map[string]string{}
	for _, ref := range refs {
		missing[ref.Name] = "it is not reported yet"
	}
	watching, end := context.WithCancelCause(ctx)
	waits := w.remind(watching)
	defer func() {
		end(nil)
		<-waits.ended // no report comes after the wait
	}()
	p := newProgress(end)
	defer p.stop()
	err := w.each(watching, together(kind, refs), func(o sluice.Object, gone bool) (bool, error) {
		ref := o.Ref()
		if _, wanted := missing[ref.Name]; !wanted || gone && !hasEnded(o) {
			return len(missing) == 0, nil
		}
		p.saw(o)
		state := manifest.StatusWithin(o, w.MaxUnready)
		switch state.Phase {
		case manifest.Failed:
			return false, w.unready(ctx, named(kind, ref.Name), "cannot become ready", state.Message)
		case manifest.Ready:
			delete(missing, ref.Name)
			crashed.look(watching, named(kind, ref.Name))
			p.done(ref.Name)
			waits.done(named(kind, ref.Name))
		default:
			missing[ref.Name] = state.Message
			workload := named(kind, ref.Name)
			waits.say(workload, state.Message, crashed.of(watching, workload))
		}
		return len(missing) == 0, nil
	})
	if stuck, ok := errors.AsType[stuckError](context.Cause(watching)); ok && err != nil && ctx.Err() == nil {
		return w.unready(ctx, named(kind, stuck.name), "got no further for "+stuck.limit.String(), missing[stuck.name])
	}
	if IsTimeout(err) {
		name := slices.Sorted(maps.Keys(missing))[0]
		return w.unready(ctx, named(kind, name), "is not ready in time", missing[name])
	}
	return err
}

// together names the objects to one watch: the object if there is one, or all of its kind and namespace.
func together(kind sluice.Ref, refs []sluice.Ref) sluice.Ref {
	if len(refs) == 1 {
		return refs[0]
	}
	return kind
}

// hasEnded reports whether a Pod has run to its end, which stays its result when the Pod is gone.
func hasEnded(o sluice.Object) bool {
	phase := o.Text("status", "phase")
	return o.Text("kind") == "Pod" && (phase == "Succeeded" || phase == "Failed")
}

func named(kind sluice.Ref, name string) sluice.Ref {
	kind.Name = name
	return kind
}

// unready returns the error for an object that is not ready: what is missing, and the last lines of its pods.
func (w Waiter) unready(ctx context.Context, ref sluice.Ref, state, missing string) error {
	words, pod, err := lastWords(ctx, w.Account, ref, missing)
	e := Failed(fmt.Sprintf("%s %s: %s", ref, state, missing), words, err)
	if strings.Contains(missing, "exceeded quota") {
		e.Err = &sluice.Error{Code: sluice.Exhausted} // other pods may make room
	}
	if pod == "" {
		return e.WithHint("correct what it names and run it again")
	}
	return e.WithHint("look at the whole log with: sluice logs --pod %s/%s", ref.Namespace, pod)
}

// Failed returns the error with the words of pods below the message, or why the pods could not be asked.
func Failed(message, words string, refused error) *sluice.Error {
	if refused != nil {
		message += fmt.Sprintf(" (its pods cannot be asked: %v)", refused)
	}
	if words != "" {
		message += "\n" + strings.Trim(words, "\n")
	}
	return sluice.Errorf(sluice.Failed, "%s", message)
}

// lastWords returns why pods of the workload are not ready, unless missing says it, and their last lines, and the first
// of these pods that wrote any. It quotes ready pods only if there are no others.
func lastWords(
	ctx context.Context, a sluice.Account, owner sluice.Ref, missing string,
) (words, first string, err error) {
	all, err := a.Pods(ctx, owner.Namespace, owner)
	if err != nil {
		return "", "", err
	}
	pods := slices.DeleteFunc(slices.Clone(all), func(p sluice.Pod) bool { return p.Owner != owner.String() || p.Ready })
	if len(pods) == 0 {
		pods = slices.DeleteFunc(all, func(p sluice.Pod) bool { return p.Owner != owner.String() })
	}
	var said []string
	for _, p := range pods[:min(len(pods), maxPods)] {
		lines, failure := LastLines(ctx, a, p, tail)
		err = cmp.Or(err, failure)
		if lines != "" {
			first = cmp.Or(first, p.Name)
		}
		if strings.Contains(missing, p.Name) && strings.Contains(missing, p.Reason) {
			p.Reason = ""
		}
		said = append(said, "pod "+p.Name+": "+condition(p)+lines)
	}
	return strings.Join(said, "\n"), first, err
}

// LastLines returns the last n lines that the pod wrote, each on an indented line of its own; "" if it wrote none or is
// gone.
func LastLines(ctx context.Context, a sluice.Account, p sluice.Pod, n int) (string, error) {
	lines, err := a.Logs(ctx, p.Namespace, p.Name, n)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return "", nil
	}
	return quoted(lines), err
}

// condition says why a pod is not ready, and how often it was restarted: the reason may only be that of the latest try.
func condition(p sluice.Pod) string {
	if p.Restarts == 0 {
		return cmp.Or(p.Reason, "0 restarts")
	}
	return strings.TrimPrefix(fmt.Sprintf("%s, restarts: %d", p.Reason, p.Restarts), ", ")
}
