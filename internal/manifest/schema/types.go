package schema

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:generate go -C ../../../e2e/node run ./schema ../../internal/manifest/schema/kubernetes.json

//go:embed kubernetes.json
var published []byte

// A document is the content of kubernetes.json.
type document struct {
	Version string            // of Kubernetes, such as 1.34
	Kinds   map[string]string // "apps/v1 Deployment" to the name of its type
	Types   map[string]shape

	places   map[string][]string // the apiVersions that have a kind, the most stable first
	versions map[string][]string // by group
	names    []string            // of kinds
}

// A shape is a type with fields. The type of a field is a word of OpenAPI, []type, map[type], any, or the name of a
// shape.
type shape struct {
	Fields   map[string]string
	Required []string
	Keys     map[string][]string // the fields that tell the entries of a list apart
}

var kubernetes = sync.OnceValue(func() document {
	var d document
	if err := json.Unmarshal(published, &d); err != nil {
		panic("kubernetes.json: " + err.Error())
	}
	d.places, d.versions = map[string][]string{}, map[string][]string{}
	for name := range d.Kinds {
		place, kind, _ := strings.Cut(name, " ")
		group, version := split(place)
		d.places[kind] = append(d.places[kind], place)
		d.versions[group] = append(d.versions[group], version)
	}
	for _, places := range d.places {
		slices.SortFunc(places, stableFirst)
	}
	d.names = slices.Sorted(maps.Keys(d.places))
	return d
})

// base returns the name of a type without its group and version.
func base(name string) string { return name[strings.LastIndex(name, ".")+1:] }
