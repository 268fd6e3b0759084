package apply

import (
	"context"
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// kubectlApply is the field manager of kubectl apply without --server-side.
const kubectlApply = "kubectl-client-side-apply"

// yields reports whether the writer shares no field with the manager for longer than one Apply. A person's command
// sets a field once; when the manifest says the same, the field is the application's.
func (w *Writer) yields(manager string) bool {
	return client.IsHand(manager) || slices.Contains(w.writing.TakeOver, manager)
}

// refused returns the conflicts with owners from which the writer may not take fields. It may take them from Sluice
// under another name, from the managers in TakeOver, from a person's command that shares the field with it, and from
// kubectl apply before anything was applied.
func (w *Writer) refused(list []client.FieldConflict, live sluice.Object) []client.FieldConflict {
	applied := appliedSet(live, w.manager())
	return slices.DeleteFunc(slices.Clone(list), func(c client.FieldConflict) bool {
		return client.IsOurs(c.Manager) || slices.Contains(w.writing.TakeOver, c.Manager) ||
			client.IsHand(c.Manager) && isShared(live, applied, c) || c.Manager == kubectlApply && applied == nil
	})
}

// isShared reports whether the manager owned the field together with the set.
func isShared(o sluice.Object, set *fieldpath.Set, c client.FieldConflict) bool {
	shared := false
	for _, e := range client.ManagedFields(o) {
		if theirs := fieldSet(e); set != nil && theirs != nil && e.Text("manager") == c.Manager {
			set.Intersection(theirs).Iterate(func(p fieldpath.Path) { shared = shared || p.String() == c.Field })
		}
	}
	return shared
}

// maxShown bounds the values that a message repeats.
const maxShown = 60

// valued adds the values to conflicts, for people. Those of a Secret are left out.
func valued(list []client.FieldConflict, want, live sluice.Object) []client.FieldConflict {
	if live.Text("kind") == "Secret" {
		return list
	}
	for i, c := range list {
		for _, e := range client.ManagedFields(live) {
			set := fieldSet(e)
			if e.Text("manager") != c.Manager || set == nil {
				continue
			}
			set.Iterate(func(p fieldpath.Path) {
				if p.String() == c.Field {
					list[i].Now, list[i].Want = shown(live, p), shown(want, p)
				}
			})
		}
	}
	return list
}

func shown(o sluice.Object, path fieldpath.Path) string {
	v, ok := valueAt(map[string]any(o), path)
	data, err := json.Marshal(v)
	if !ok || err != nil || len(data) > maxShown {
		return ""
	}
	return string(data)
}

// checkApplication returns a Conflict if another application applied the object, and applying the fields would change
// it.
func (w *Writer) checkApplication(ctx context.Context, r applyRequest, want, live sluice.Object) error {
	other := w.otherApplication(live)
	if other == "" {
		return nil
	}
	r.dryRun = true
	now, err := w.patch(ctx, r, want, live)
	if err == nil && isSame(live, now, r.Resource) {
		return nil
	}
	switch code := sluice.ErrorCode(client.Wrap("apply "+r.String(), err)); {
	case code.IsOutage(), code == sluice.Conflict:
		return err
	}
	return w.belongsTo(other, live) // what the server says against the values does not matter
}

// otherApplication returns an application that applied the object too and whose fields may not be taken, "" if there
// is none.
func (w *Writer) otherApplication(live sluice.Object) string {
	if w.writing.Application == "" {
		return ""
	}
	for _, other := range live.AppliedByOthers(w.writing.Application) {
		if !slices.Contains(w.writing.TakeOver, sluice.ManagerOf(other)) {
			return other
		}
	}
	return ""
}

func (w *Writer) belongsTo(other string, live sluice.Object) error {
	when := ""
	if t := entryOf(live, sluice.ManagerOf(other), "Apply").Text("time"); t != "" {
		when = ", which applied it last at " + t
	}
	owner := sluice.Owners{sluice.ManagerOf(other)}
	e := sluice.Errorf(sluice.Conflict, "it belongs to application %s%s", other, when).
		WithHint("leave it out of this application, or take it over: %s", owner.Flag())
	e.Err = owner
	return e
}

// ownsSame reports whether the writer's fields are the same in both states of an object, but for those that Sluice
// sets under another name, and no owner gave up any.
func (w *Writer) ownsSame(live, now sluice.Object) bool {
	before, after := appliedSet(live, w.manager()), appliedSet(now, w.manager())
	if before == nil || after == nil {
		return before == nil && after == nil
	}
	differ := before.Difference(after).Union(after.Difference(before))
	for _, e := range client.ManagedFields(live) {
		if set := fieldSet(e); set != nil && client.IsOurs(e.Text("manager")) {
			differ = differ.Difference(set)
		}
	}
	return differ.Empty() && w.settled(live) == nil
}

// settle takes the fields that the writer applied away from owners that share none with it, and returns the object. In
// a dry run it does so only in what it returns.
func (w *Writer) settle(ctx context.Context, now sluice.Object, r applyRequest) (sluice.Object, error) {
	return w.changeOwners(ctx, now, r, w.settled)
}

// settled returns the owners of the object's fields once it is settled, nil if it is.
func (w *Writer) settled(o sluice.Object) []sluice.Object {
	own := appliedSet(o, w.manager())
	if own == nil {
		return nil
	}
	var list []sluice.Object
	changed := false
	for _, e := range client.ManagedFields(o) {
		set := fieldSet(e)
		if set == nil || !w.yields(e.Text("manager")) || e.Text("subresource") != "" || set.Intersection(own).Empty() {
			list = append(list, e)
			continue
		}
		changed = true
		if rest := set.Difference(own); !rest.Leaves().Empty() {
			list = append(list, withFields(e, rest))
		}
	}
	if !changed {
		return nil
	}
	return list
}

// adopt gives the application the fields that an earlier version of Sluice applied for none, and the first time those
// that kubectl apply owns. So fields that the object no longer declares are removed. It returns the object.
func (w *Writer) adopt(ctx context.Context, live sluice.Object, r applyRequest) (sluice.Object, error) {
	if r.dryRun {
		return live, nil
	}
	return w.changeOwners(ctx, live, r, w.adopted)
}

// adopted returns the owners of the object's fields once it is adopted, nil if it is.
func (w *Writer) adopted(o sluice.Object) []sluice.Object {
	was := entryOf(o, sluice.Manager, "Apply")
	if was == nil && appliedSet(o, w.manager()) == nil {
		was = entryOf(o, kubectlApply, "Update")
	}
	own := entryOf(o, w.manager(), "Apply")
	if was == nil || own != nil && own.Text("manager") == was.Text("manager") {
		return nil
	}
	set := fieldSet(was)
	if other := fieldSet(own); other != nil {
		set = set.Union(other)
	}
	list := []sluice.Object{}
	for _, e := range client.ManagedFields(o) {
		isOwn, isWas := isEntry(e, own), isEntry(e, was)
		switch {
		case isWas && own == nil || isOwn:
			e = withFields(e, set)
			e["manager"], e["operation"] = w.manager(), "Apply"
			list = append(list, e)
		case !isWas:
			list = append(list, e)
		}
	}
	return list
}

func isEntry(a, b sluice.Object) bool {
	return b != nil && a.Text("manager") == b.Text("manager") && a.Text("operation") == b.Text("operation") &&
		a.Text("subresource") == b.Text("subresource") && a.Text("apiVersion") == b.Text("apiVersion")
}

// changeOwners writes who owns the fields of the object, as become says, nil for no change. It starts over if somebody
// else wrote the object meanwhile. In a dry run it writes nothing.
func (w *Writer) changeOwners(
	ctx context.Context, o sluice.Object, r applyRequest, become func(sluice.Object) []sluice.Object,
) (sluice.Object, error) {
	for try := 1; ; try++ {
		owners := become(o)
		if owners == nil {
			return o, nil
		}
		if r.dryRun {
			o = o.Clone()
			o.Set(asList(owners), "metadata", "managedFields")
			return o, nil
		}
		now, err := w.writeOwners(ctx, o, r, owners)
		if !isWriteConflict(err) || try == maxAttempts {
			return now, err
		}
		if o, err = w.informers.ReadLive(ctx, r.ObjectRef); err != nil {
			return nil, err
		}
	}
}

func (w *Writer) writeOwners(
	ctx context.Context, o sluice.Object, r applyRequest, owners []sluice.Object,
) (sluice.Object, error) {
	data, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": owners},
		// To replace it by itself is a conflict if somebody else wrote the object; a test would be an invalid request.
		{"op": "replace", "path": "/metadata/resourceVersion", "value": o.Text("metadata", "resourceVersion")},
	})
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: sluice.Manager + "-adopt"}
	return w.client.Patch(ctx, r.ObjectRef, client.Patch{Type: types.JSONPatchType, Data: data, Options: options})
}

func asList(owners []sluice.Object) []any {
	list := []any{}
	for _, e := range owners {
		list = append(list, map[string]any(e))
	}
	return list
}
