package compose

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

func (r *reader) add(at *yaml.Node, severity sluice.Severity, code, message, hint string) {
	r.findings = append(r.findings, sluice.Diagnostic{
		Pos: yamldoc.At(r.Name, at), Severity: severity, Code: code, Message: message, Hint: hint,
	})
}

// refuse reports what the application cannot do without, or what would give it rights that nobody looked at.
func (r *reader) refuse(path []string, hint, format string, args ...any) {
	r.add(r.at(path...), sluice.SeverityError, codeRefused, fmt.Sprintf(format, args...), hint)
}

// leaveOut reports what has no counterpart in manifests.
func (r *reader) leaveOut(path []string, hint, format string, args ...any) {
	r.add(r.at(path...), sluice.SeverityWarning, codeLeftOut, fmt.Sprintf(format, args...), hint)
}

// path returns the path of a key of a service.
func (r *reader) path(service string, keys ...any) []string {
	path := []string{"services", service}
	for _, k := range keys {
		path = append(path, fmt.Sprint(k))
	}
	return path
}

// at returns the key at the path, or the entry if the path ends in a list. If the path is not in the file, as what
// comes from another file is not, it is the nearest one above.
func (r *reader) at(path ...string) *yaml.Node {
	value, place := r.root, r.root
	for _, part := range path {
		key, below := child(value, part)
		if below == nil {
			break
		}
		value, place = below, key
	}
	return place
}

// child returns the value below a node, and where it stands.
func child(n *yaml.Node, part string) (place, value *yaml.Node) {
	if key, value := yamldoc.Child(n, part); key != nil || n.Kind != yaml.SequenceNode {
		return key, value
	}
	for _, entry := range n.Content { // "NAME=value" or NAME
		if name, _, _ := strings.Cut(entry.Value, "="); name == part {
			return entry, entry
		}
	}
	return nil, nil
}

var pathInMessage = regexp.MustCompile(`\b(services|volumes|networks|configs|secrets)(\.[A-Za-z0-9_-]+)+`)

const falseSchema = " false schema" // how the library says that there is no such key

// invalid reports what the library says, at the place that its message names.
func (r *reader) invalid(err error) {
	text := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "validating "+r.Name+": ")), " ")
	path := strings.Split(pathInMessage.FindString(text), ".")
	at, hint := r.at(path...), "docker compose config checks the file too"
	if at == r.root {
		at = r.repeated(r.root, text)
	}
	if before, is := strings.CutSuffix(text, falseSchema); is {
		text = before + " is not a key of the format"
		if near := yamldoc.Nearest(path[len(path)-1], known(path)); near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	r.add(at, sluice.SeverityError, codeInvalid, "this is no valid compose file: "+text, hint)
}

// known returns the keys that the format has beside the last one of the path.
func known(path []string) (keys []string) {
	above := tree.NewPath(path[:len(path)-1]...)
	for _, p := range schema.AttributePaths() {
		if above.Matches(p.Parent()) {
			keys = append(keys, p.Last())
		}
	}
	return keys
}

// repeated returns the node with the longest text of the file that the message repeats, otherwise the root.
func (r *reader) repeated(n *yaml.Node, message string) *yaml.Node {
	best := r.root
	if n.Kind == yaml.ScalarNode && len(n.Value) > 1 && strings.Contains(message, n.Value) {
		best = n
	}
	for _, child := range n.Content {
		if found := r.repeated(child, message); len(found.Value) > len(best.Value) {
			best = found
		}
	}
	return best
}
