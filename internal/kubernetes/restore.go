package kubernetes

import (
	"context"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
)

// Restore applies what Sluice had applied of the object when it was read, so that what it applied since is gone: fields
// come back or go, and those of others stay. What kubectl apply had made counts as applied by Sluice, which took it over.
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
	return a.Apply(ctx, applied(was), dryRun)
}

// applied returns what Sluice had applied of the object.
func applied(was sluice.Object) sluice.Object {
	o := sluice.Object{}
	if set := appliedFields(was); set != nil {
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

func appliedFields(was sluice.Object) *fieldpath.Set {
	if set := owned(was, was.Text("apiVersion")); set != nil {
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
