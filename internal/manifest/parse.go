package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/schema"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

const (
	maxBytes   = 16 << 20
	maxObjects = 5000
	// maxFindings is how many findings a text may have before the rest of it is left out.
	maxFindings = 500
)

var limits = yamldoc.Limits{Bytes: maxBytes, Nodes: 1_000_000, Depth: 200}

// A Document is an object with its place.
type Document struct {
	Object sluice.Object
	Pos    sluice.Position
	Part   string // the line in a text that has no file, such as "line 3 of the inline manifest"
}

// Place names the document's place for people.
func (d Document) Place() string {
	if d.Part == "" {
		return d.Pos.String()
	}
	return d.Part + " at " + d.Pos.String()
}

// Parse reads the objects of a YAML or JSON text. It skips empty documents and unpacks Lists. Every object has an API
// version, a kind and a name, and agrees with the schema of its kind. Bare ReplicaSets are refused, because nothing
// could roll them out, and bare Pods cause a warning. Parse returns objects even if others have findings.
func Parse(file string, data []byte) ([]sluice.Object, sluice.Diagnostics) {
	documents, ds := parse(file, data, false)
	return Objects(documents), ds
}

// Objects returns the objects of the documents, not copied.
func Objects(documents []Document) []sluice.Object {
	var objects []sluice.Object
	for _, d := range documents {
		objects = append(objects, d.Object)
	}
	return objects
}

// parse is Parse with places. If hooks is true, an object may be a hook of Helm or Argo CD.
func parse(file string, data []byte, hooks bool) ([]Document, sluice.Diagnostics) {
	roots, ds := yamldoc.Read(file, data, limits)
	if ds.HasErrors() && json.Valid(data) {
		roots, ds = yamldoc.Read(file, jsonAsYAML(data), limits)
	}
	unread := ds.HasErrors()
	r := reader{file: file, ds: ds, hooks: hooks, ignored: map[string]bool{}}
	for _, root := range roots {
		r.document(root)
	}
	if r.ds.HasErrors() {
		if d := helmTemplate(file, data, unread, r.ds); d != nil {
			return nil, sluice.Diagnostics{*d}
		}
	}
	return r.documents, r.ds
}

type reader struct {
	file      string
	hooks     bool
	documents []Document
	ds        sluice.Diagnostics
	full      bool
	ignored   map[string]bool // annotations that were reported
}

func (r *reader) report(n *yaml.Node, code, hint, format string, args ...any) {
	r.ds = append(r.ds, sluice.Diagnostic{Pos: yamldoc.At(r.file, n), Severity: sluice.SeverityError, Code: code,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *reader) warn(n *yaml.Node, code, hint, message string) {
	r.ds = append(r.ds, sluice.Diagnostic{Pos: yamldoc.At(r.file, n), Severity: sluice.SeverityWarning, Code: code,
		Message: message, Hint: hint})
}

func (r *reader) document(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.report(n, codeBadManifest, "start with apiVersion: and kind:", "a manifest must be a map of keys and values")
		return
	}
	if items := yamldoc.Get(n, "items"); strings.HasSuffix(text(yamldoc.Get(n, "kind")), "List") && items != nil {
		for _, item := range items.Content {
			if !r.full {
				r.document(item)
			}
		}
		return
	}
	r.object(n)
}

func (r *reader) object(n *yaml.Node) {
	if r.full || !r.named(n) {
		return
	}
	if len(r.ds) > maxFindings {
		r.full = true
		r.report(n, codeTooManyFindings, "correct the others first", "nothing from here on was checked")
		return
	}
	if len(r.documents) == maxObjects {
		r.full = true
		r.report(n, codeTooManyObjects, "split the file", "there are more than %d objects", maxObjects)
		return
	}
	found := schema.Check(r.file, n)
	r.ds = append(r.ds, found...)
	if !r.checkAnnotations(n) {
		return
	}
	kind := yamldoc.Get(n, "kind")
	r.bare(kind)
	if v, err := yamldoc.Value(n); err == nil && text(kind) != "ReplicaSet" && !found.HasErrors() {
		m, _ := v.(map[string]any)
		r.documents = append(r.documents, Document{Object: m, Pos: yamldoc.At(r.file, n)})
	}
}

// named reports what is missing to know the object.
func (r *reader) named(n *yaml.Node) bool {
	before := len(r.ds)
	kind, apiVersion := yamldoc.Get(n, "kind"), yamldoc.Get(n, "apiVersion")
	if strings.HasPrefix(text(apiVersion), "kustomize.config.k8s.io/") {
		r.report(apiVersion, codeKustomize, "name the directory with the kustomization.yaml as the path",
			"a kustomization is no object; it must be rendered")
		return false
	}
	if absent(kind) {
		r.report(n, codeMissingField, "add kind:, such as kind: Deployment", "the manifest has no kind")
	}
	what := cmp.Or(word(kind), "manifest")
	if absent(apiVersion) {
		r.report(n, codeMissingField, "add it, like apiVersion: apps/v1", "the %s has no apiVersion", what)
	}
	metadata := yamldoc.Get(n, "metadata")
	if isMap := metadata != nil && metadata.Kind == yaml.MappingNode; (isMap || absent(metadata)) &&
		absent(yamldoc.Get(metadata, "name")) {
		r.report(n, codeMissingField, "add metadata: {name: …}", "the %s has no metadata.name", what)
	}
	return len(r.ds) == before
}

// bare reports pods that no workload makes.
func (r *reader) bare(kind *yaml.Node) {
	switch text(kind) {
	case "Pod":
		r.warn(kind, codeBareWorkload, "use a Deployment or a Job", "a bare Pod is applied but never rolled out")
	case "ReplicaSet":
		r.report(kind, codeBareWorkload, "make it a Deployment", "a bare ReplicaSet cannot be rolled out")
	}
}

func absent(n *yaml.Node) bool {
	return n == nil || yamldoc.IsNull(n) || n.Kind == yaml.ScalarNode && n.Value == ""
}

// text returns the text of a node, "" if it is none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return ""
	}
	return n.Value
}

// word returns the text of a node for a message, quoted if it is not one plain word.
func word(n *yaml.Node) string {
	t := text(n)
	if len(t) > 100 || strings.ContainsFunc(t, func(r rune) bool { return !strconv.IsPrint(r) || r == ' ' }) {
		return fmt.Sprintf("%.100q", t)
	}
	return t
}
