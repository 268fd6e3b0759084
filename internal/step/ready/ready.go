package ready

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// tail is how many of a pod's last lines an error shows.
const tail = 8

// Is reports whether the object is ready.
func Is(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready }

// Ready waits until every object is ready; objects of one kind and namespace share one watch. If an object cannot
// become ready, or is not ready at the deadline, the error is Failed: it names the object, what is missing and what its
// pods said.
func (w Waiter) Ready(ctx context.Context, refs []sluice.Ref) error {
	kinds := map[sluice.Ref][]sluice.Ref{}
	var order []sluice.Ref
	for _, ref := range refs {
		kind := ref
		kind.Name = ""
		if len(kinds[kind]) == 0 {
			order = append(order, kind)
		}
		kinds[kind] = append(kinds[kind], ref)
	}
	for _, kind := range order {
		if err := w.readyOfKind(ctx, kind, kinds[kind]); err != nil {
			return err
		}
	}
	return nil
}

func (w Waiter) readyOfKind(ctx context.Context, kind sluice.Ref, refs []sluice.Ref) error {
	missing := map[string]string{}
	for _, ref := range refs {
		missing[ref.Name] = "it is not reported yet"
	}
	changes := w.followKind(kind)
	if len(refs) == 1 {
		changes = w.follow(refs[0])
	}
	err := w.each(ctx, changes, func(o sluice.Object) (bool, error) {
		ref := o.Ref()
		if _, wanted := missing[ref.Name]; !wanted {
			return len(missing) == 0, nil
		}
		state := manifest.Status(o)
		switch state.Phase {
		case manifest.Failed:
			return false, w.unready(ctx, named(kind, ref.Name), "cannot become ready", state.Message)
		case manifest.Ready:
			delete(missing, ref.Name)
		default:
			missing[ref.Name] = state.Message
			w.Report(sluice.Progress{State: sluice.Running, Message: ref.String() + ": " + state.Message})
		}
		return len(missing) == 0, nil
	})
	if IsTimeout(err) {
		name := slices.Sorted(maps.Keys(missing))[0]
		return w.unready(ctx, named(kind, name), "is not ready in time", missing[name])
	}
	return err
}

func named(kind sluice.Ref, name string) sluice.Ref {
	kind.Name = name
	return kind
}

// unready is the error over an object that is not ready, with what is missing and the last words of its pods.
func (w Waiter) unready(ctx context.Context, ref sluice.Ref, verdict, missing string) error {
	message := fmt.Sprintf("%s %s: %s", ref, verdict, missing)
	words, pod, err := lastWords(ctx, w.Account, ref)
	if err != nil {
		message += fmt.Sprintf(" (its pods cannot be asked: %v)", err)
	}
	if words != "" {
		message += "\n" + words
	}
	e := sluice.Errorf(sluice.Failed, "%s", message)
	if pod == "" {
		return e.WithHint("correct what it names and run it again")
	}
	return e.WithHint("look at the whole log with: sluice logs --pod %s/%s", ref.Namespace, pod)
}

// lastWords returns why pods of the workload are not ready and their last lines, and the first of these pods that wrote
// any. It quotes ready pods only if there are no others.
func lastWords(ctx context.Context, a sluice.Account, owner sluice.Ref) (words, first string, err error) {
	all, err := a.Pods(ctx, owner.Namespace)
	if err != nil {
		return "", "", err
	}
	pods := slices.DeleteFunc(slices.Clone(all), func(p sluice.Pod) bool { return p.Owner != owner.String() || p.Ready })
	if len(pods) == 0 {
		pods = slices.DeleteFunc(all, func(p sluice.Pod) bool { return p.Owner != owner.String() })
	}
	var b strings.Builder
	for _, p := range pods[:min(len(pods), 2)] {
		fmt.Fprintf(&b, "pod %s: %s\n", p.Name, condition(p))
		lines, err := a.Logs(ctx, p.Namespace, p.Name, tail)
		if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
			return strings.TrimSpace(b.String()), first, err
		}
		if len(lines) > 0 {
			first = cmp.Or(first, p.Name)
		}
		for _, line := range lines {
			b.WriteString("  " + line[:min(len(line), 300)] + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n"), first, nil
}

// condition says why a pod is not ready, and how often it was restarted: the reason may be that of the new try only.
func condition(p sluice.Pod) string {
	if p.Restarts == 0 {
		return cmp.Or(p.Reason, "0 restarts")
	}
	return strings.TrimPrefix(fmt.Sprintf("%s, restarts: %d", p.Reason, p.Restarts), ", ")
}
