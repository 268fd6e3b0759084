package apply

import (
	"context"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// Restore applies the fields that the writer had applied when the object was read, and no others. So later fields go,
// earlier ones come back, and those of others stay. Fields that were taken from others since get their values and
// owners back, except that fields of kubectl apply count as applied by the writer. What a Secret got as stringData has
// no owner and gets its value back. A Conflict names the fields that others have taken over since. The rest is restored
// all the same. A number of replicas that Scale has changed gets its value and its owner back; the outcome is Unchanged
// if only that owner changes.
func (w *Writer) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	ref, err := w.client.Resolve(ctx, was.Ref())
	if err != nil {
		return nil, "", err
	}
	live, err := w.informers.ReadLive(ctx, ref)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return w.Apply(ctx, was, dryRun)
	}
	if err != nil {
		return nil, "", err
	}
	set, back, stray := w.restorableSet(was), w.takenFrom(was, live), w.unowned(was, live)
	r := applyRequest{ObjectRef: ref, dryRun: dryRun}
	counted := live
	if w.isCountOurs(live) {
		counted = withCount(live, was)
	}
	if isSame(declaredFields(was, ref.Resource), declaredFields(counted, ref.Resource), ref.Resource) &&
		len(back) == 0 && stray.Empty() {
		return w.restoreCount(ctx, r, was, live, sluice.Unchanged)
	}
	taken, conflicts := w.takenOver(set, was, live)
	given := stray
	for _, e := range back {
		given = given.Union(fieldSet(e))
	}
	now, outcome, err := w.Apply(ctx, onlyFields(was, set.Difference(taken).Union(given)), dryRun)
	if err == nil && !given.Empty() {
		now, err = w.giveBack(ctx, now, r, back, given.Difference(set))
		outcome = sluice.Configured
	}
	if err == nil {
		now, outcome, err = w.restoreCount(ctx, r, was, now, outcome)
	}
	switch {
	case err != nil:
		return nil, "", client.Wrap("restore "+ref.String(), err)
	case len(conflicts) > 0:
		return now, outcome, client.ConflictError(conflicts)
	}
	return now, outcome, nil
}

// takenFrom returns the owners when the object was read, each with the fields that the writer has taken from it since.
func (w *Writer) takenFrom(was, live sluice.Object) []sluice.Object {
	own := appliedSet(live, w.manager())
	if own == nil || client.ManagedFields(was) == nil {
		return nil
	}
	wasApplied := appliedSet(was, w.manager()) != nil
	var list []sluice.Object
	for _, e := range client.ManagedFields(was) {
		manager, set := e.Text("manager"), fieldSet(e)
		if set == nil || e.Text("subresource") != "" || client.IsOurs(manager) || manager == w.manager() ||
			manager == kubectlApply && !wasApplied {
			continue
		}
		if set = missingIn(live, e).Intersection(own); !set.Leaves().Empty() {
			list = append(list, withFields(e, set))
		}
	}
	return list
}

// unowned returns the fields of a Secret that only the writer owns and that had a value when the object was read, but
// no owner: the API server notes stringData as owned, not the data that it becomes. In other objects a value without an
// owner is a default, which the cluster sets again.
func (w *Writer) unowned(was, live sluice.Object) *fieldpath.Set {
	own, owned, found := appliedSet(live, w.manager()), fieldpath.NewSet(), fieldpath.NewSet()
	if own == nil || was.Ref().Kind != "Secret" {
		return found
	}
	writer := managerIn(live, w.manager())
	others := slices.DeleteFunc(client.ManagedFields(live), func(e sluice.Object) bool {
		return e.Text("manager") == writer && e.Text("operation") == "Apply"
	})
	for _, e := range slices.Concat(client.ManagedFields(was), others) {
		if set := fieldSet(e); set != nil {
			owned = owned.Union(set)
		}
	}
	own.Leaves().Difference(owned).Iterate(func(path fieldpath.Path) {
		if v, _ := valueAt(map[string]any(was), path); v != nil {
			found.Insert(path)
		}
	})
	return found
}

// missingIn returns the fields of the entry that its owner does not own in the object.
func missingIn(o, entry sluice.Object) *fieldpath.Set {
	set := fieldSet(entry)
	for _, e := range client.ManagedFields(o) {
		if left := fieldSet(e); isEntry(e, entry) && left != nil {
			set = set.Difference(left)
		}
	}
	return set
}

// giveBack makes the owners own their fields again, and the writer none of the given ones.
func (w *Writer) giveBack(
	ctx context.Context, now sluice.Object, r applyRequest, back []sluice.Object, given *fieldpath.Set,
) (sluice.Object, error) {
	return w.changeOwners(ctx, now, r, func(o sluice.Object) []sluice.Object {
		own := appliedSet(o, w.manager())
		isGiven := own == nil || own.Intersection(given).Empty()
		if isGiven && !slices.ContainsFunc(back, func(e sluice.Object) bool { return !missingIn(o, e).Empty() }) {
			return nil
		}
		list := client.ManagedFields(o)
		for _, e := range back {
			i := slices.IndexFunc(list, func(now sluice.Object) bool { return isEntry(now, e) })
			if i < 0 {
				list = append(list, e)
				continue
			}
			list[i] = withFields(list[i], fieldSet(list[i]).Union(fieldSet(e)))
		}
		for i, e := range list {
			if e.Text("manager") == w.manager() && e.Text("operation") == "Apply" {
				list[i] = withFields(e, fieldSet(e).Difference(given))
			}
		}
		return list
	})
}

// takenOver returns the fields of the set to which others have given another value since.
func (w *Writer) takenOver(set *fieldpath.Set, was, live sluice.Object) (*fieldpath.Set, []client.FieldConflict) {
	taken := fieldpath.NewSet()
	var list []client.FieldConflict
	for _, e := range client.ManagedFields(live) {
		theirs := fieldSet(e)
		if theirs == nil || client.IsOurs(e.Text("manager")) || e.Text("manager") == w.manager() ||
			e.Text("subresource") != "" {
			continue
		}
		set.Leaves().Intersection(theirs).Iterate(func(path fieldpath.Path) {
			before, had := valueAt(map[string]any(was), path)
			now, has := valueAt(map[string]any(live), path)
			if had == has && isEqual(before, now) {
				return
			}
			taken.Insert(path)
			list = append(list, client.FieldConflict{Field: path.String(), Manager: e.Text("manager")})
		})
	}
	return taken, list
}

// onlyFields returns the object with the fields of the set and its name.
func onlyFields(was sluice.Object, set *fieldpath.Set) sluice.Object {
	o := sluice.Object{}
	if set != nil {
		if m, ok := extract(set, map[string]any(was)).(map[string]any); ok {
			o = m
		}
	}
	ref := was.Ref()
	o["apiVersion"], o["kind"] = ref.APIVersion, ref.Kind
	o.Set(ref.Name, "metadata", "name")
	if ref.Namespace != "" {
		o.Set(ref.Namespace, "metadata", "namespace")
	}
	return o
}

// restorableSet returns the fields that the writer had applied. They include a number of replicas that Sluice had set
// for a while: without it the cluster would set its default.
func (w *Writer) restorableSet(was sluice.Object) *fieldpath.Set {
	set := appliedSetOf(was, w.manager(), was.Text("apiVersion"))
	if set == nil {
		set = fieldSet(entryOf(was, kubectlApply, "Update"))
	}
	switch {
	case set == nil:
		return fieldpath.NewSet()
	case isScaledByUs(was):
		return set.Union(fieldpath.NewSet(replicasPath))
	}
	return set
}

// extract returns the part of the value that is in the set. A member without children is in it as a whole.
func extract(set *fieldpath.Set, v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for key, e := range v {
			if got, ok := extractAt(set, fieldpath.FieldNameElement(key), e); ok {
				m[key] = got
			}
		}
		return m
	case []any:
		return extractItems(set, v)
	}
	return v
}

func extractAt(set *fieldpath.Set, at fieldpath.PathElement, v any) (any, bool) {
	if children, ok := set.Children.Get(at); ok {
		return extract(children, v), true
	}
	return v, set.Members.Has(at)
}

func extractItems(set *fieldpath.Set, items []any) []any {
	var elements []fieldpath.PathElement
	collect := func(e fieldpath.PathElement) { elements = append(elements, e) }
	set.Members.Iterate(collect)
	set.Children.Iterate(func(e fieldpath.PathElement) {
		if !set.Members.Has(e) {
			collect(e)
		}
	})
	list := []any{}
	for _, item := range items {
		for _, e := range elements {
			if !selects(e, item, false) {
				continue
			}
			if got, ok := extractAt(set, e, item); ok {
				list = append(list, withKey(e, got, item))
			}
			break
		}
	}
	return list
}

// withKey adds the key of the item, without which the item could not be told from others.
func withKey(e fieldpath.PathElement, got, item any) any {
	m, ok := got.(map[string]any)
	if e.Key == nil || !ok {
		return got
	}
	for _, f := range *e.Key {
		m[f.Name] = item.(map[string]any)[f.Name]
	}
	return m
}
