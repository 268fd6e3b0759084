package kubernetes

import (
	"bytes"
	"encoding/json"
	"reflect"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/sluice-cd/sluice"
)

// isSameToUs reports whether two states of an object are the same in everything that Sluice applied in either. What
// others wrote in between is not Sluice's doing.
func isSameToUs(a, b sluice.Object) bool {
	set := fieldpath.NewSet()
	for _, o := range []sluice.Object{a, b} {
		if s := appliedSet(o); s != nil {
			set = set.Union(s)
		}
	}
	same := true
	set.Leaves().Iterate(func(path fieldpath.Path) { // its iterator cannot be left early
		x, inX := at(map[string]any(a), path)
		y, inY := at(map[string]any(b), path)
		same = same && inX == inY && isEqual(x, y)
	})
	return same
}

// at returns what lies at the path.
func at(v any, path fieldpath.Path) (any, bool) {
	for _, e := range path {
		ok := false
		switch t := v.(type) {
		case map[string]any:
			if e.FieldName != nil {
				v, ok = t[*e.FieldName]
			}
		case []any:
			v, ok = pickItem(e, t)
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// managedFields returns the entries that say who owns what of the object.
func managedFields(o sluice.Object) []sluice.Object {
	list, _ := o.Field("metadata", "managedFields").([]any)
	var entries []sluice.Object
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			entries = append(entries, m)
		}
	}
	return entries
}

// owned returns what of the object was applied by Sluice in the version of the API, nil if nothing was.
func owned(o sluice.Object, apiVersion string) *fieldpath.Set {
	for _, e := range managedFields(o) {
		if e.Text("manager") == manager && e.Text("operation") == "Apply" && e.Text("subresource") == "" && e.Text("apiVersion") == apiVersion {
			return fieldSet(e)
		}
	}
	return nil
}

// appliedSet returns what Sluice applied of the object, in whatever version of the API; nil, if it never did.
func appliedSet(o sluice.Object) *fieldpath.Set {
	for _, e := range managedFields(o) {
		if e.Text("manager") == manager && e.Text("operation") == "Apply" {
			return fieldSet(e)
		}
	}
	return nil
}

func isApplied(o sluice.Object) bool { return appliedSet(o) != nil }

func fieldSet(entry sluice.Object) *fieldpath.Set {
	data, err := json.Marshal(entry["fieldsV1"])
	if err != nil {
		return nil
	}
	s := &fieldpath.Set{}
	if s.FromJSON(bytes.NewReader(data)) != nil {
		return nil
	}
	return s
}

// isSurelySame reports whether applying want would change nothing of the live object: Sluice owns exactly the
// fields that want has, and each has the value that want gives it. It errs only towards false, as where the server
// writes a quantity in another way.
func isSurelySame(want, live sluice.Object) bool {
	set := owned(live, want.Text("apiVersion"))
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

// ownableMetadata leaves out what names the object: nobody owns that.
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

// A comparison walks over what is wanted and remembers which owned fields it met.
type comparison struct{ seen *fieldpath.Set }

func (c *comparison) field(set *fieldpath.Set, at fieldpath.Path, key string, want any, live map[string]any) bool {
	have, ok := live[key]
	return ok && c.element(set, at, fieldpath.FieldNameElement(key), want, have)
}

// element compares what lies at the element of the set's place.
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

// items compares lists whose items are told apart by keys or by themselves.
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
			h, ok := pickItem(e, have)
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

// isSameOrder reports whether the items of want stand in have in the same order.
func isSameOrder(elements map[string]fieldpath.PathElement, want, have []any) bool {
	next := 0
	for _, h := range have {
		for _, e := range elements {
			if !selects(e, h, false) {
				continue
			}
			if !selects(e, want[next], true) {
				return false
			}
			next++
			break
		}
	}
	return next == len(want)
}

func pickItem(e fieldpath.PathElement, list []any) (any, bool) {
	for _, item := range list {
		if selects(e, item, false) {
			return item, true
		}
	}
	return nil, false
}

// selects reports whether the element names the item; a lenient look takes a key that the item lacks for one that
// has its default.
func selects(e fieldpath.PathElement, item any, lenient bool) bool {
	if e.Value != nil {
		return value.Equals(*e.Value, value.NewValueInterface(item))
	}
	m, ok := item.(map[string]any)
	if e.Key == nil || !ok {
		return false
	}
	for _, f := range *e.Key {
		v, ok := m[f.Name]
		if !ok && lenient {
			continue
		}
		if !ok || !value.Equals(f.Value, value.NewValueInterface(v)) {
			return false
		}
	}
	return true
}

func isEmptyMap(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// isEqual compares decoded JSON; 1 and 1.0 are the same number.
func isEqual(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	return value.Equals(value.NewValueInterface(a), value.NewValueInterface(b))
}
