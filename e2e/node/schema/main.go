// Command schema writes the types that Sluice checks manifests against, from the OpenAPI document that Kubernetes
// publishes. The version is that of the test clusters. Run it with: go generate ./internal/manifest/schema
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A definition is what the published document says about a type or a field.
type definition struct {
	Ref        string                                  `json:"$ref"`
	Type       string                                  `json:"type"`
	Format     string                                  `json:"format"`
	Items      *definition                             `json:"items"`
	Values     *definition                             `json:"additionalProperties"`
	Properties map[string]definition                   `json:"properties"`
	Required   []string                                `json:"required"`
	Keys       []string                                `json:"x-kubernetes-list-map-keys"`
	Kinds      []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
}

// A shape is a type in kubernetes.json.
type shape struct {
	Fields   map[string]string   `json:"fields"`
	Required []string            `json:"required,omitempty"`
	Keys     map[string][]string `json:"keys,omitempty"`
}

type generator struct {
	published map[string]definition
	types     map[string]shape
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: schema FILE")
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", "k8s.io/kubernetes").Output()
	if err != nil {
		log.Fatal(err)
	}
	dir, version, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	data, err := os.ReadFile(filepath.Join(dir, "api/openapi-spec/swagger.json"))
	if err != nil {
		log.Fatal(err)
	}
	var document struct{ Definitions map[string]definition }
	if err := json.Unmarshal(data, &document); err != nil {
		log.Fatal(err)
	}
	g := generator{document.Definitions, map[string]shape{}}
	if err := os.WriteFile(os.Args[1], g.text(version), 0o644); err != nil {
		log.Fatal(err)
	}
}

// text has one line for each kind and each type, so that a new version of Kubernetes can be read in a diff.
func (g generator) text(version string) []byte {
	kinds := map[string]string{}
	for name, d := range g.published {
		if strings.HasSuffix(d.Properties["metadata"].Ref, ".ObjectMeta") {
			for _, k := range d.Kinds {
				kinds[strings.TrimPrefix(k.Group+"/"+k.Version, "/")+" "+k.Kind] = g.add(name)
			}
		}
	}
	minor := strings.Join(strings.Split(strings.TrimPrefix(version, "v"), ".")[:2], ".")
	return fmt.Appendf(nil, "{\"version\": %q,\n\"kinds\": {\n%s},\n\"types\": {\n%s}}\n", minor, lines(kinds),
		lines(g.types))
}

func lines[T any](all map[string]T) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value, err := json.Marshal(all[name])
		if err != nil {
			log.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%q: %s", name, value))
	}
	return strings.Join(list, ",\n") + "\n"
}

// add adds the type and those that it uses, and returns its short name. Nobody writes a status, so it may be anything.
func (g generator) add(name string) string {
	short := shortName(name)
	if _, done := g.types[short]; done {
		return short
	}
	d := g.published[name]
	s := shape{Fields: map[string]string{}, Required: d.Required, Keys: map[string][]string{}}
	g.types[short] = s
	for field, f := range d.Properties {
		if field == "status" && len(d.Kinds) > 0 {
			s.Fields[field] = "any"
			continue
		}
		s.Fields[field] = g.expression(f)
		if len(f.Keys) > 0 {
			s.Keys[field] = f.Keys
		}
	}
	return short
}

// expression writes a field's type: text, []text, map[text], or the name of a type.
func (g generator) expression(d definition) string {
	name := strings.TrimPrefix(d.Ref, "#/definitions/")
	switch of := g.published[name]; {
	case strings.HasSuffix(name, ".Quantity"):
		return "quantity"
	case name != "" && len(of.Properties) > 0:
		return g.add(name)
	case name != "" && of.Type == "object", name != "" && of.Type == "":
		return "any"
	case name != "":
		return g.expression(of)
	}
	switch {
	case d.Type == "array":
		return "[]" + g.expression(*d.Items)
	case d.Type == "object" && d.Values != nil:
		return "map[" + g.expression(*d.Values) + "]"
	case d.Type == "object":
		return "any"
	case d.Format != "":
		return d.Format
	}
	return d.Type
}

// shortName turns io.k8s.api.core.v1.Pod into core.v1.Pod.
func shortName(name string) string {
	parts := strings.Split(name, ".")
	return strings.Join(parts[len(parts)-3:], ".")
}
