package fingerprint

import "slices"

const (
	orderOnly     = "(order)" // the fields are equal, but in another order
	moreFields    = "(more)"
	maxDifference = 50 // paths per document
)

// An Outline is a field of a document, or a document, without its values: it is enough to say which fields differ.
type Outline struct {
	Name   string    `json:"n,omitempty"`
	Kind   string    `json:"k,omitempty"` // of what has fields itself, such as object or array; "" if it has none
	Hash   Hash      `json:"h"`           // of everything below, and of its type
	Fields []Outline `json:"f,omitempty"`
}

// Difference returns the sorted paths of the fields that differ between two documents. Elements of arrays are numbered
// from 0, as in items.0.price.
func Difference(was, now *Outline) []string {
	var paths []string
	differ("", was, now, &paths)
	slices.Sort(paths)
	if len(paths) > maxDifference {
		paths = append(paths[:maxDifference:maxDifference], moreFields)
	}
	return paths
}

func differ(path string, was, now *Outline, paths *[]string) {
	if was.Hash == now.Hash {
		return // even if a name is repeated, which the map below cannot represent
	}
	if was.Kind == "" || was.Kind != now.Kind {
		*paths = append(*paths, path)
		return
	}
	found := len(*paths)
	before := map[string]*Outline{}
	for i := range was.Fields {
		before[was.Fields[i].Name] = &was.Fields[i]
	}
	seen := map[string]bool{}
	for i := range now.Fields {
		field := &now.Fields[i]
		seen[field.Name] = true
		if old, ok := before[field.Name]; ok {
			differ(join(path, field.Name), old, field, paths)
			continue
		}
		*paths = append(*paths, join(path, field.Name))
	}
	for name := range before {
		if !seen[name] {
			*paths = append(*paths, join(path, name))
		}
	}
	if len(*paths) == found {
		*paths = append(*paths, join(path, orderOnly))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
