package traffic

import (
	"encoding/json"
	"maps"

	"github.com/sluice-cd/sluice"
)

// Annotation holds, on an object whose traffic is divided, what puts it back.
const Annotation = "sluice-cd.github.io/traffic"

// A record is what the annotation says. The zero record says that the object is as its owner wants it.
type record struct {
	Made    string            `json:"made,omitempty"`    // the Service for which the whole object was made
	Pin     map[string]string `json:"pin,omitempty"`     // what was added to a selector
	Was     map[string]string `json:"was,omitempty"`     // what a pin replaced
	Shares  []Share           `json:"shares,omitempty"`  // by Service
	Lists   []saved           `json:"lists,omitempty"`   // of backends, as they were
	Subsets []savedSubset     `json:"subsets,omitempty"` // of a destination rule
	Bare    bool              `json:"bare,omitempty"`    // the destination rule had no list of subsets
}

// recordOf reads the annotation. One that cannot be read was not written by Sluice, and says nothing.
func recordOf(o sluice.Object) record {
	var r record
	text := o.Text("metadata", "annotations", Annotation)
	if text == "" || json.Unmarshal([]byte(text), &r) != nil {
		return record{}
	}
	for i := range r.Lists {
		r.Lists[i].Was, _ = whole(r.Lists[i].Was).([]any)
	}
	for i := range r.Subsets {
		r.Subsets[i].Was, _ = whole(r.Subsets[i].Was).(map[string]any)
	}
	return r
}

// write puts the record on the object; the zero record takes the annotation away.
func (r record) write(o sluice.Object) error {
	if r.empty() {
		annotations, _ := o.Field("metadata", "annotations").(map[string]any)
		delete(annotations, Annotation)
		if metadata, ok := o["metadata"].(map[string]any); ok && annotations != nil && len(annotations) == 0 {
			delete(metadata, "annotations")
		}
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return sluice.Errorf(sluice.Internal, "the annotation of %s: %w", o.Ref(), err)
	}
	o.Set(string(text), "metadata", "annotations", Annotation)
	return nil
}

func (r record) empty() bool {
	return r.Made == "" && len(r.Pin) == 0 && len(r.Shares) == 0 && len(r.Subsets) == 0
}

// Divided reports whether the object carries anything that is to be put back.
func Divided(o sluice.Object) bool { return !recordOf(o).empty() }

// MadeFor returns the Service for which Sluice made the object, "" if it did not.
func MadeFor(o sluice.Object) string { return recordOf(o).Made }

// whole turns numbers without a fraction into int64, as objects of a cluster have them.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = whole(e)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = whole(e)
		}
		return v
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

// Labels returns the labels in a field of an object as decoded from JSON.
func Labels(v any) map[string]string {
	m, _ := v.(map[string]any)
	all := make(map[string]string, len(m))
	for k, e := range m {
		if s, ok := e.(string); ok {
			all[k] = s
		}
	}
	return all
}

// values is the inverse of Labels.
func values(m map[string]string) map[string]any {
	all := make(map[string]any, len(m))
	for k, s := range maps.All(m) {
		all[k] = s
	}
	return all
}
