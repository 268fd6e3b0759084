package manifest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

const (
	maxBytes   = 16 << 20
	maxObjects = 5000
)

var limits = yamldoc.Limits{Bytes: maxBytes, Nodes: 1_000_000, Depth: 200}

// Parse reads the objects of a YAML or JSON text. It skips empty documents and unpacks Lists. Every object has an API
// version, a kind and a name. Bare ReplicaSets are refused, because nothing could roll them out, and bare Pods cause a
// warning. Parse returns objects even if others have findings.
func Parse(file string, data []byte) ([]sluice.Object, sluice.Diagnostics) {
	roots, ds := yamldoc.Read(file, data, limits)
	if ds.HasErrors() && json.Valid(data) {
		roots, ds = rereadJSON(file, data)
	}
	r := reader{file: file, ds: ds}
	for _, root := range roots {
		r.document(root)
	}
	return r.objects, r.ds
}

// rereadJSON reads JSON that is not YAML, because of its tabs or escapes, by writing it again.
func rereadJSON(file string, data []byte) ([]*yaml.Node, sluice.Diagnostics) {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	err := dec.Decode(&v)
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := errors.Join(err, enc.Encode(v)); err != nil {
		return nil, sluice.Diagnostics{{Pos: sluice.Position{File: file, Line: 1, Column: 1}, Severity: sluice.SeverityError,
			Code: codeBadManifest, Message: "this is not JSON: " + err.Error(), Hint: "write it as YAML"}}
	}
	return yamldoc.Read(file, []byte(b.String()), limits)
}

type reader struct {
	file    string
	objects []sluice.Object
	ds      sluice.Diagnostics
	full    bool
	faults  int // errors among the findings
}

func (r *reader) report(n *yaml.Node, code, hint, format string, args ...any) {
	r.faults++
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
	if items := yamldoc.Get(n, "items"); text(yamldoc.Get(n, "kind")) == "List" && items != nil {
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
	if r.full || !r.complete(n) {
		return
	}
	if len(r.objects) == maxObjects {
		r.full = true
		r.report(n, codeTooManyObjects, "split the file", "there are more than %d objects", maxObjects)
		return
	}
	v, err := yamldoc.Value(n)
	if bad, ok := errors.AsType[*yamldoc.NodeError](err); ok {
		r.report(bad.Node, codeBadManifest, "correct the value", "%s", bad.Message)
		return
	}
	m, _ := v.(map[string]any)
	r.objects = append(r.objects, sluice.Object(m))
}

// complete reports what the object lacks and why it cannot be delivered.
func (r *reader) complete(n *yaml.Node) bool {
	before := r.faults
	kind := text(yamldoc.Get(n, "kind"))
	switch kind {
	case "":
		r.report(n, codeMissingField, "add kind:, such as kind: Deployment", "the manifest has no kind")
	case "Pod":
		r.warn(yamldoc.Get(n, "kind"), codeBareWorkload, "use a Deployment or a Job",
			"a bare Pod is applied but never rolled out")
	case "ReplicaSet":
		r.report(yamldoc.Get(n, "kind"), codeBareWorkload, "make it a Deployment", "a bare ReplicaSet cannot be rolled out")
	}
	if text(yamldoc.Get(n, "apiVersion")) == "" {
		r.report(n, codeMissingField, "add it, like apiVersion: apps/v1", "the %s has no apiVersion",
			cmp.Or(kind, "manifest"))
	}
	if text(yamldoc.Get(yamldoc.Get(n, "metadata"), "name")) == "" {
		r.report(n, codeMissingField, "add metadata: {name: …}", "the %s has no metadata.name", cmp.Or(kind, "manifest"))
	}
	return r.faults == before
}

// get returns the value of a key, nil if there is none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return ""
	}
	return n.Value
}
