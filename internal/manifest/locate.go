package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
	"github.com/sluice-cd/sluice/internal/regular"
)

// Locate returns the place of a field of the object at pos, such as spec.template.spec.containers[0].image. If the file
// does not have the field, that is the place of the nearest field around it. It returns pos if no object begins there.
func Locate(pos sluice.Position, field string) sluice.Position {
	data, err := regular.File(pos.File, maxBytes)
	if err != nil || !pos.IsValid() {
		return pos
	}
	roots, _ := yamldoc.Read(pos.File, data, limits)
	for _, root := range roots {
		if found := locate(root, pos, field); found.IsValid() {
			return found
		}
	}
	return pos
}

// locate looks for the object in a document, which may be a List. It returns the zero Position if it is not there.
func locate(n *yaml.Node, pos sluice.Position, field string) sluice.Position {
	if yamldoc.At(pos.File, n) == pos {
		return yamldoc.At(pos.File, descend(n, split(field)))
	}
	if items := yamldoc.Get(n, "items"); items != nil {
		for _, item := range items.Content {
			if found := locate(item, pos, field); found.IsValid() {
				return found
			}
		}
	}
	return sluice.Position{}
}

// descend returns the key at the path, or the last one on the way that exists.
func descend(n *yaml.Node, path []string) *yaml.Node {
	at := n
	for _, name := range path {
		key, value := yamldoc.Child(n, name)
		if key == nil {
			break
		}
		at, n = key, value
	}
	return at
}

// split takes a path of the API server apart: spec.ports[0].port, data[a.b].
func split(field string) []string {
	var names []string
	for field != "" {
		if rest, ok := strings.CutPrefix(field, "["); ok {
			name, after, _ := strings.Cut(rest, "]")
			names, field = append(names, name), after
			continue
		}
		field = strings.TrimPrefix(field, ".")
		end := strings.IndexAny(field, ".[")
		if end < 0 {
			end = len(field)
		}
		names, field = append(names, field[:end]), field[end:]
	}
	return names
}
