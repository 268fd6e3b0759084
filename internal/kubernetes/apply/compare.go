package apply

import (
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// isApplied reports whether applying want would change nothing: the manager owns exactly the fields of want in the live
// object, and each has the value that want gives it. It may report false if nothing would change, such as for a
// quantity that the server writes in another way.
func isApplied(want, live sluice.Object, manager string) bool {
	set := appliedSetOf(live, manager, want.Text("apiVersion"))
	if set == nil {
		return false
	}
	c := comparison{seen: fieldpath.NewSet()}
	for key, v := range want {
		if key == "apiVersion" || key == "kind" {
			continue
		}
		if key == "metadata" {
			v = ownableMetadata(v)
			if len(v.(map[string]any)) == 0 {
				continue
			}
		}
		if !c.field(set, nil, key, v, live) {
			return false
		}
	}
	return set.Difference(c.seen).Empty()
}

// ownableMetadata leaves out the name and namespace, which nobody owns.
func ownableMetadata(v any) map[string]any {
	m, _ := v.(map[string]any)
	rest := map[string]any{}
	for key, e := range m {
		if key != "name" && key != "namespace" {
			rest[key] = e
		}
	}
	return rest
}

// A comparison walks over the wanted fields and remembers which owned fields it met.
type comparison struct{ seen *fieldpath.Set }

func (c *comparison) field(set *fieldpath.Set, at fieldpath.Path, key string, want any, live map[string]any) bool {
	have, ok := live[key]
	return ok && c.element(set, at, fieldpath.FieldNameElement(key), want, have)
}

// element compares the values at the element, whose path is below at.
func (c *comparison) element(set *fieldpath.Set, at fieldpath.Path, e fieldpath.PathElement, want, have any) bool {
	at = append(at.Copy(), e)
	isMember := set.Members.Has(e)
	if isMember {
		c.seen.Insert(at)
	}
	children, ok := set.Children.Get(e)
	if !ok {
		return isMember && (isEqual(want, have) || isEmptyMap(want))
	}
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		return ok && c.fields(children, at, w, h)
	case []any:
		h, ok := have.([]any)
		return ok && c.items(children, at, w, h)
	}
	return false
}

func (c *comparison) fields(set *fieldpath.Set, at fieldpath.Path, want, have map[string]any) bool {
	for key, v := range want {
		if !c.field(set, at, key, v, have) {
			return false
		}
	}
	return true
}

// items compares lists whose items have keys, or are sets of values.
func (c *comparison) items(set *fieldpath.Set, at fieldpath.Path, want, have []any) bool {
	elements := map[string]fieldpath.PathElement{}
	set.Members.Iterate(func(e fieldpath.PathElement) { elements[e.String()] = e })
	set.Children.Iterate(func(e fieldpath.PathElement) { elements[e.String()] = e })
	if len(elements) != len(want) {
		return false
	}
	for _, w := range want {
		matched := 0
		for _, e := range elements {
			if !selects(e, w, true) {
				continue
			}
			matched++
			h, ok := itemOf(e, have)
			if !ok || !c.element(set, at, e, w, h) {
				return false
			}
		}
		if matched != 1 {
			return false
		}
	}
	return isSameOrder(elements, want, have)
}

// isSameOrder reports whether the items of want have the same order in the live list.
func isSameOrder(elements map[string]fieldpath.PathElement, want, have []any) bool {
	next := 0
	for _, h := range have {
		for _, e := range elements {
			if !selects(e, h, false) {
				continue
			}
			if next == len(want) || !selects(e, want[next], true) {
				return false
			}
			next++
			break
		}
	}
	return next == len(want)
}

func isEmptyMap(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// isSameToUs reports whether two states of an object are equal in all fields that the manager applied in either. What
// others wrote in between does not count.
func isSameToUs(a, b sluice.Object, manager string) bool {
	set := fieldpath.NewSet()
	for _, o := range []sluice.Object{a, b} {
		if s := appliedSet(o, manager); s != nil {
			set = set.Union(s)
		}
	}
	same := true
	set.Leaves().Iterate(func(path fieldpath.Path) { // its iterator cannot be left early
		x, inX := valueAt(map[string]any(a), path)
		y, inY := valueAt(map[string]any(b), path)
		same = same && inX == inY && isEqual(x, y)
	})
	return same
}

// isSame compares two states of an object without its status, managedFields and counters.
func isSame(a, b sluice.Object, r client.Resource) bool {
	return isEqual(map[string]any(withoutStatus(a, r)), map[string]any(withoutStatus(b, r)))
}

func withoutStatus(o sluice.Object, r client.Resource) sluice.Object {
	k := sluice.Object{}
	for key, v := range o {
		if key != "metadata" && (key != "status" || !r.Has("status")) {
			k[key] = v
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	for key, v := range meta {
		if key != "managedFields" && key != "resourceVersion" && key != "generation" {
			k.Set(v, "metadata", key)
		}
	}
	return k
}
