package traffic

import (
	"encoding/json"

	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
)

// Annotation is the annotation that records how to put back an object whose traffic is divided.
const Annotation = "sluice-cd.github.io/traffic"

// A record is the content of the annotation. The zero record means that the object is as its owner wants it.
type record struct {
	Made    string            `json:"made,omitempty"`    // the Service for which the whole object was made
	Pin     map[string]string `json:"pin,omitempty"`     // the labels that were added to a selector
	Was     map[string]string `json:"was,omitempty"`     // the labels that a pin replaced
	Shares  []Share           `json:"shares,omitempty"`  // by Service
	Lists   []saved           `json:"lists,omitempty"`   // of backends, as they were
	Subsets []savedSubset     `json:"subsets,omitempty"` // of a destination rule
	Bare    bool              `json:"bare,omitempty"`    // the destination rule had no list of subsets
}

// recordOf reads the annotation. It ignores an annotation that it cannot read, since Sluice did not write it.
func recordOf(o sluice.Object) record {
	var r record
	text := o.Text("metadata", "annotations", Annotation)
	if text == "" || kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &r) != nil {
		return record{}
	}
	return r
}

// write puts the record on the object. The zero record removes the annotation.
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

// MadeFor returns the Service for which Sluice made the object, "" if Sluice did not make it.
func MadeFor(o sluice.Object) string { return recordOf(o).Made }

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
	for k, s := range m {
		all[k] = s
	}
	return all
}
