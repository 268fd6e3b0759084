package steptest

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A writer writes objects on behalf of an application.
type writer struct {
	*Account
	sluice.Writing
}

// For implements sluice.Writers.
func (a *Account) For(w sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	by := writer{a, w}
	return by, by
}

func (a *Account) forNobody() writer { return writer{a, sluice.Writing{}} }

// Apply implements sluice.ClusterWriter.
func (a *Account) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return a.forNobody().Apply(ctx, o, dryRun)
}

// Restore implements sluice.ClusterWriter.
func (a *Account) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return a.forNobody().Restore(ctx, was, dryRun)
}

// Beside implements sluice.Adopter.
func (a *Account) Beside(
	ctx context.Context, canary sluice.Object, replicaSet string,
) (sluice.Object, sluice.Outcome, error) {
	return a.forNobody().Beside(ctx, canary, replicaSet)
}

// Delete implements sluice.ClusterWriter.
func (a *Account) Delete(ctx context.Context, ref sluice.Ref) error {
	return a.forNobody().Delete(ctx, ref)
}

func (w writer) manager() string { return sluice.ManagerOf(w.Application) }

// other returns an application that applied the object too, "" if there is none.
func (w writer) other(ref sluice.Ref) string {
	if w.Application == "" || w.objects[ref] == nil {
		return ""
	}
	others := slices.DeleteFunc(w.shown(ref).AppliedByOthers(w.Application), func(other string) bool {
		return slices.Contains(w.TakeOver, sluice.ManagerOf(other))
	})
	return strings.Join(others, ", ")
}

const belongs = "%s belongs to application %s"

// Apply implements sluice.ClusterWriter.
func (w writer) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if err := w.enter(ctx); err != nil {
		return nil, "", err
	}
	o, ref := normal(intent(o)), o.Ref()
	if !w.knows(ref.APIVersion, ref.Kind) {
		return nil, "", w.refuse(sluice.Unsupported, unknown, ref.Kind, ref.APIVersion)
	}
	now, own, outcome := w.objects[ref], owned(o, w.manager()), sluice.Created
	next := o
	if now != nil {
		o = w.owners[ref].withoutScaled(o, now)
		if list := w.owners[ref].conflicts(o, now, w); len(list) > 0 {
			return nil, "", w.refuse(sluice.Conflict, "%s", strings.Join(list, "; "))
		}
		next, own = w.owners[ref].apply(o, now, w)
		outcome = sluice.Configured
		isSame := same(intent(next), intent(now))
		if other := w.other(ref); other != "" && !isSame {
			return nil, "", w.refuse(sluice.Conflict, belongs, ref, other)
		}
		if isSame && reflect.DeepEqual(own, w.owners[ref].adopt(w)) {
			outcome = sluice.Unchanged
		}
		for _, field := range immutable[ref.Kind] {
			if !same(next.Field("spec", field), now.Field("spec", field)) {
				return nil, "", w.refuse(sluice.Invalid, "spec.%s of %s cannot be changed", field, ref)
			}
		}
	}
	if dryRun {
		w.mu.Unlock()
		next = next.Clone()
		next.Set(own.managedFields(), "metadata", "managedFields")
		return next, outcome, nil
	}
	w.owners[ref] = own
	if outcome != sluice.Unchanged {
		w.store(ref, next)
	}
	shown := w.shown(ref)
	if ref.Kind == "Job" && shown.Number(-1, "spec", "ttlSecondsAfterFinished") == 0 &&
		shown.Field("spec", "suspend") != true {
		w.remove(ref)
	}
	return shown, outcome, w.wrote()
}

// Restore implements sluice.ClusterWriter.
func (w writer) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if err := w.enter(ctx); err != nil {
		return nil, "", err
	}
	ref := was.Ref()
	now, own := w.objects[ref], w.owners[ref]
	w.mu.Unlock()
	if now == nil {
		return w.Apply(ctx, was, dryRun)
	}
	given := own.takenFrom(was, w)
	if same(intent(was), intent(now)) && len(given) == 0 {
		return now.Clone(), sluice.Unchanged, nil
	}
	back, taken := own.back(normal(was), now, w)
	o, outcome, err := w.Apply(ctx, back, dryRun)
	count := was.Number(1, "spec", "replicas")
	if err == nil && own.rival(replicasPath, w) == "" && o.Number(1, "spec", "replicas") != count {
		o, outcome = w.recount(o, count, dryRun), sluice.Configured
	}
	if err == nil && len(given) > 0 {
		outcome = sluice.Configured
		if !dryRun {
			w.giveBack(ref, given)
		}
	}
	if err == nil && len(taken) > 0 {
		err = sluice.Errorf(sluice.Conflict, "%s", strings.Join(taken, "; "))
	}
	return o, outcome, err
}

// recount gives the object another number of replicas, whose owners stay.
func (w writer) recount(o sluice.Object, replicas int, dryRun bool) sluice.Object {
	o = o.Clone()
	o.Set(int64(replicas), "spec", "replicas")
	if !dryRun {
		w.mu.Lock()
		defer w.mu.Unlock()
		counted := w.objects[o.Ref()].Clone()
		counted.Set(int64(replicas), "spec", "replicas")
		w.store(o.Ref(), counted)
	}
	return o
}

// giveBack makes the owners of fields own them again.
func (w writer) giveBack(ref sluice.Ref, given map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p, name := range given {
		w.owners[ref][p] = map[string]bool{name: true}
	}
}

// Delete implements sluice.ClusterWriter.
func (w writer) Delete(ctx context.Context, ref sluice.Ref) error {
	if err := w.enter(ctx); err != nil {
		return err
	}
	if other := w.other(ref); other != "" {
		return w.refuse(sluice.Conflict, belongs, ref, other)
	}
	for other := range w.objects {
		if other == ref || ref.Kind == "Namespace" && other.Namespace == ref.Name {
			w.remove(other)
		}
	}
	return w.wrote()
}

// Beside implements sluice.Adopter.
func (w writer) Beside(
	ctx context.Context, canary sluice.Object, replicaSet string,
) (sluice.Object, sluice.Outcome, error) {
	if err := w.enter(ctx); err != nil {
		return nil, "", err
	}
	for ref, sets := range w.sets {
		for _, s := range sets {
			if s.name == replicaSet && ref != canary.Ref() {
				return nil, "", w.refuse(sluice.Conflict, "%s belongs to %s", replicaSet, ref)
			}
		}
	}
	w.setNames[canary.Ref()] = replicaSet
	w.mu.Unlock()
	return w.Apply(ctx, canary, false)
}
