package manifest

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

// Diff returns the changes from before to after as a unified diff of YAML, or "" if there are none. Either may be nil.
// Diff leaves out fields that a cluster adds. For a Secret it shows which values change, but no value.
func Diff(before, after sluice.Object) string {
	before, after = comparable(before), comparable(after)
	mask(before, after)
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after), FromFile: "before", ToFile: "after", Context: 3,
	})
	if err != nil {
		return ""
	}
	return text
}

func comparable(o sluice.Object) sluice.Object {
	if o == nil {
		return nil
	}
	o = o.Clone()
	delete(o, "status")
	meta, _ := o["metadata"].(map[string]any)
	added := []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"}
	maps.DeleteFunc(meta, func(field string, _ any) bool { return slices.Contains(added, field) })
	// This annotation of kubectl holds a whole manifest, with the values of Secrets.
	annotations, _ := o.Field("metadata", "annotations").(map[string]any)
	delete(annotations, lastApplied)
	if annotations != nil && len(annotations) == 0 {
		delete(meta, "annotations")
	}
	if isSecret(o) {
		EncodeSecret(o)
	}
	return o
}

// EncodeSecret moves the stringData of a Secret into data, as a cluster does when it stores the Secret.
func EncodeSecret(o sluice.Object) {
	plain, _ := o["stringData"].(map[string]any)
	delete(o, "stringData")
	for key, v := range plain {
		s, _ := v.(string)
		o.Set(base64.StdEncoding.EncodeToString([]byte(s)), "data", key)
	}
}

func mask(before, after sluice.Object) {
	was, _ := before.Field("data").(map[string]any)
	is, _ := after.Field("data").(map[string]any)
	secretWas, secretIs := isSecret(before), isSecret(after)
	same := map[string]bool{}
	for key := range was {
		same[key] = secretWas && secretIs && was[key] == is[key]
	}
	if secretWas {
		hide(was, same, "(hidden, before)")
	}
	if secretIs {
		hide(is, same, "(hidden, after)")
	}
}

func hide(data map[string]any, same map[string]bool, changed string) {
	for key := range data {
		data[key] = changed
		if same[key] {
			data[key] = "(hidden)"
		}
	}
}

func lines(o sluice.Object) []string {
	if o == nil {
		return nil
	}
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(map[string]any(o)); err != nil {
		return []string{"(not YAML: " + err.Error() + ")\n"}
	}
	return difflib.SplitLines(strings.TrimSuffix(b.String(), "\n"))
}
