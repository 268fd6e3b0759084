package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// tail is how many of a pod's last lines an error shows.
const tail = 8

// ready waits until every object is ready, those of one kind and namespace in one watch. An object that cannot
// become ready, or the deadline, is a Failed error that names the object, what is missing and what its pods said.
func (w watcher) ready(ctx context.Context, refs []sluice.Ref) error {
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

func (w watcher) readyOfKind(ctx context.Context, kind sluice.Ref, refs []sluice.Ref) error {
	missing := map[string]string{}
	for _, ref := range refs {
		missing[ref.Name] = "it is not reported yet"
	}
	err := w.watchSome(ctx, kind, refs, func(o sluice.Object) (bool, error) {
		ref := o.Ref()
		if _, wanted := missing[ref.Name]; !wanted {
			return len(missing) == 0, nil
		}
		state := manifest.Status(o)
		switch state.Phase {
		case manifest.Failed:
			return false, w.unready(ctx, named(kind, ref.Name), state.Message, sluice.Errorf(sluice.Failed, "cannot become ready"))
		case manifest.Ready:
			delete(missing, ref.Name)
		default:
			missing[ref.Name] = state.Message
			w.report(sluice.Progress{State: sluice.Running, Message: ref.String() + ": " + state.Message})
		}
		return len(missing) == 0, nil
	})
	if isTimeout(err) {
		name := slices.Sorted(maps.Keys(missing))[0]
		return w.unready(ctx, named(kind, name), missing[name], sluice.Errorf(sluice.Failed, "is not ready in time"))
	}
	return err
}

// watchSome watches the one object, or all of the kind where there are several.
func (w watcher) watchSome(ctx context.Context, kind sluice.Ref, refs []sluice.Ref, look func(sluice.Object) (bool, error)) error {
	if len(refs) > 1 {
		return w.watchKind(ctx, kind, look)
	}
	return w.each(ctx, func(ctx context.Context) iter.Seq2[sluice.Object, error] { return w.account.Follow(ctx, refs[0]) }, look)
}

func named(kind sluice.Ref, name string) sluice.Ref {
	kind.Name = name
	return kind
}

// unready completes the error with what is missing and with the last words of the object's pods.
func (w watcher) unready(ctx context.Context, ref sluice.Ref, missing string, e *sluice.Error) error {
	message := fmt.Sprintf("%s %s: %s", ref, e.Message, missing)
	words, pod, err := lastWords(ctx, w.account, ref)
	if err != nil {
		message += fmt.Sprintf(" (its pods cannot be asked: %v)", err)
	}
	if words != "" {
		message += "\n" + words
	}
	e = sluice.Errorf(e.Code, "%s", message)
	if pod == "" {
		return e.WithHint("correct what it names and run it again")
	}
	return e.WithHint("look at the whole log with: sluice logs --pod %s/%s", ref.Namespace, pod)
}

// lastWords returns why pods of the workload are not ready and their last lines, and the first of them
// that has any. Ready pods are only heard where no other is.
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

// condition says why a pod is not ready, and whether it has been restarted: its reason may tell of the new try only.
func condition(p sluice.Pod) string {
	if p.Restarts == 0 {
		return orDefault(p.Reason, "0 restarts")
	}
	return strings.TrimPrefix(fmt.Sprintf("%s, restarts: %d", p.Reason, p.Restarts), ", ")
}

// isReady looks once.
func isReady(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready }

// withOp tells in which operation on which object err came about.
func withOp(verb string, ref sluice.Ref, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	op := verb + " " + ref.String()
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Op == op {
		return err // the account has said so
	}
	return &sluice.Error{Code: sluice.ErrorCode(err), Op: op, Hint: sluice.ErrorHint(err), Err: err}
}
