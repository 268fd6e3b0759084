package apply

import (
	"context"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// Restore applies the fields that Sluice had applied when the object was read, and no others. So later fields of Sluice
// go, earlier ones come back, and those of others stay. Fields of kubectl apply count as applied by Sluice, which took
// them over. A Conflict names the fields that others have taken over since. The rest is restored all the same.
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
	if isSame(declaredFields(was, ref.Resource), declaredFields(live, ref.Resource), ref.Resource) {
		return live, sluice.Unchanged, nil
	}
	set := restorableSet(was)
	taken, conflicts := takenOver(set, was, live)
	if len(conflicts) == 0 {
		return w.Apply(ctx, onlyFields(was, set), dryRun)
	}
	now, outcome, err := w.Apply(ctx, onlyFields(was, set.Difference(taken)), dryRun)
	if err != nil {
		return nil, "", err
	}
	return now, outcome, client.ConflictError(conflicts)
}

// takenOver returns the fields of the set to which others have given another value since.
func takenOver(set *fieldpath.Set, was, live sluice.Object) (*fieldpath.Set, []client.FieldConflict) {
	taken := fieldpath.NewSet()
	var list []client.FieldConflict
	if set == nil {
		return taken, nil
	}
	for _, e := range client.ManagedFields(live) {
		theirs := fieldSet(e)
		if theirs == nil || client.IsOurs(e.Text("manager")) || e.Text("subresource") != "" {
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

// restorableSet returns the fields that Sluice had applied, nil if there were none. They include a number of replicas
// that Sluice had set for a while: without it the cluster would set its default.
func restorableSet(was sluice.Object) *fieldpath.Set {
	set := appliedSetOf(was, was.Text("apiVersion"))
	switch {
	case set == nil:
		return fieldSet(entryOf(was, kubectlApply, "Update"))
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
