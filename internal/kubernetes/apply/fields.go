package apply

import (
	"bytes"
	"encoding/json"
	"reflect"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// managerIn returns the name under which the object was applied for the manager: its own, or the one of earlier
// versions of Sluice if only that was used.
func managerIn(o sluice.Object, manager string) string {
	if entryOf(o, manager, "Apply") == nil && entryOf(o, sluice.Manager, "Apply") != nil {
		return sluice.Manager
	}
	return manager
}

// appliedSet returns the fields that were applied for the manager in any version of the API, nil if there are none.
func appliedSet(o sluice.Object, manager string) *fieldpath.Set {
	return fieldSet(entryOf(o, managerIn(o, manager), "Apply"))
}

// appliedSetOf returns the fields of the object itself that were applied for the manager in the version of the API, nil
// if there are none.
func appliedSetOf(o sluice.Object, manager, apiVersion string) *fieldpath.Set {
	manager = managerIn(o, manager)
	for _, e := range client.ManagedFields(o) {
		if e.Text("manager") == manager && e.Text("operation") == "Apply" && e.Text("subresource") == "" &&
			e.Text("apiVersion") == apiVersion {
			return fieldSet(e)
		}
	}
	return nil
}

// entryOf returns the first entry of a manager's operation, nil if there is none.
func entryOf(o sluice.Object, manager, operation string) sluice.Object {
	for _, e := range client.ManagedFields(o) {
		if e.Text("manager") == manager && e.Text("operation") == operation {
			return e
		}
	}
	return nil
}

// fieldSet reads the fields of an entry of managedFields.
func fieldSet(entry sluice.Object) *fieldpath.Set {
	data, err := json.Marshal(entry["fieldsV1"])
	if err != nil || entry == nil {
		return nil
	}
	s := &fieldpath.Set{}
	if s.FromJSON(bytes.NewReader(data)) != nil {
		return nil
	}
	return s
}

// withFields returns the entry with other fields.
func withFields(entry sluice.Object, set *fieldpath.Set) sluice.Object {
	entry = entry.Clone()
	if data, err := set.ToJSON(); err == nil {
		var fields map[string]any
		if json.Unmarshal(data, &fields) == nil {
			entry["fieldsV1"] = fields
		}
	}
	return entry
}

// valueAt returns what lies at the path.
func valueAt(v any, path fieldpath.Path) (any, bool) {
	for _, e := range path {
		ok := false
		switch t := v.(type) {
		case map[string]any:
			if e.FieldName != nil {
				v, ok = t[*e.FieldName]
			}
		case []any:
			v, ok = itemOf(e, t)
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// itemOf returns the item of the list that the element names.
func itemOf(e fieldpath.PathElement, list []any) (any, bool) {
	for _, item := range list {
		if selects(e, item, false) {
			return item, true
		}
	}
	return nil, false
}

// selects reports whether the element names the item. If lenient, a key that the item lacks counts as the default.
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

// isEqual compares decoded JSON. 1 and 1.0 are the same number.
func isEqual(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	return value.Equals(value.NewValueInterface(a), value.NewValueInterface(b))
}
