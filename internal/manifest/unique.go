package manifest

import (
	"fmt"
	"reflect"

	"github.com/sluice-cd/sluice"
)

// Unique returns the documents without those that are equal to an earlier one, each of which is a warning. Different
// objects with the same identity are an error; the API's version does not count. The objects have their namespaces.
func Unique(documents []Document) ([]Document, sluice.Diagnostics) {
	type identity struct{ group, kind, namespace, name string }
	first := map[identity]Document{}
	scoped := clusterKinds(Objects(documents))
	var kept []Document
	var found sluice.Diagnostics
	for _, d := range documents {
		id := identity{group: group(d.Object), kind: d.Object.Text("kind"), name: d.Object.Text("metadata", "name")}
		if isNamespaced(d.Object, scoped) {
			id.namespace = namespaceOf(d.Object)
		}
		earlier, twice := first[id]
		if !twice {
			first[id] = d
			kept = append(kept, d)
			continue
		}
		found = append(found, duplicate(earlier, d))
	}
	return kept, found
}

func duplicate(first, second Document) sluice.Diagnostic {
	d := sluice.Diagnostic{Pos: second.Pos, Severity: sluice.SeverityError, Code: codeDuplicateObject,
		Message: fmt.Sprintf("%s is also at %s, with other content", second.Object.Ref(), first.Place()),
		Hint:    "keep one of them, or restrict its manifest with targets"}
	if reflect.DeepEqual(first.Object, second.Object) {
		d.Severity, d.Hint = sluice.SeverityWarning, "remove one of the two"
		d.Message = fmt.Sprintf("%s is also at %s, with the same content", second.Object.Ref(), first.Place())
	}
	if second.Part != "" {
		d.Message = second.Part + ": " + d.Message
	}
	return d
}
