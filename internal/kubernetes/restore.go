package kubernetes

import (
	"context"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
)

// Restore applies what Sluice had applied of the object when it was read, so that what it applied since is gone: fields
// come back or go, and those of others stay. What kubectl apply had made counts as applied by Sluice, which took it over.
// A Conflict names the fields that others have taken over since; the rest is put back all the same.
func (a *Account) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	ref := was.Ref()
	r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
	if err != nil {
		return nil, "", err
	}
	live, err := a.read(ctx, r, ref)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return a.Apply(ctx, was, dryRun)
	}
	if err != nil {
		return nil, "", err
	}
	if isSame(declared(was, r), declared(live, r), r) {
		return live, sluice.Unchanged, nil
	}
	set := appliedFields(was)
	taken, list := takenOver(set, was, live)
	if len(list) == 0 {
		return a.Apply(ctx, applied(was, set), dryRun)
	}
	now, outcome, err := a.Apply(ctx, applied(was, set.Difference(taken)), dryRun)
	if err != nil {
		return nil, "", err
	}
	return now, outcome, conflictOver(list)
}

// takenOver returns the fields of the set to which somebody else has since given another value.
func takenOver(set *fieldpath.Set, was, live sluice.Object) (*fieldpath.Set, []claim) {
	taken := fieldpath.NewSet()
	var list []claim
	if set == nil {
		return taken, nil
	}
	for _, e := range managedFields(live) {
		theirs := fieldSet(e)
		if theirs == nil || isOurs(e.Text("manager")) || e.Text("subresource") != "" {
			continue
		}
		set.Leaves().Intersection(theirs).Iterate(func(path fieldpath.Path) {
			before, had := at(map[string]any(was), path)
			now, has := at(map[string]any(live), path)
			if had == has && isEqual(before, now) {
				return
			}
			taken.Insert(path)
			list = append(list, claim{path.String(), e.Text("manager")})
		})
	}
	return taken, list
}

// applied returns what of the object is in the set that Sluice had applied.
func applied(was sluice.Object, set *fieldpath.Set) sluice.Object {
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

// appliedFields are those fields. A count of pods that Sluice had set for a while belongs to them: without it the cluster
// would set its default.
func appliedFields(was sluice.Object) *fieldpath.Set {
	if set := owned(was, was.Text("apiVersion")); set != nil {
		if isScaledByUs(was) {
			return set.Union(fieldpath.NewSet(replicasPath))
		}
		return set
	}
	for _, e := range managedFields(was) {
		if e.Text("manager") == kubectlApply && e.Text("operation") == "Update" {
			return fieldSet(e)
		}
	}
	return nil
}

// extract returns what of the value the set has. A member without children is owned whole.
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

// withKey makes sure that the item can be told apart: its key is in it.
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
