package config

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A reader walks the nodes of one file and collects its mistakes.
type reader struct {
	file  string
	diags sluice.Diagnostics
}

// fields says how to read the value of each key of a mapping.
type fields map[string]func(*yaml.Node)

func (r *reader) pos(n *yaml.Node) sluice.Position {
	return sluice.Position{File: r.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

func (r *reader) fault(n *yaml.Node, code, hint, format string, args ...any) {
	r.diags = append(r.diags, sluice.Diagnostic{
		Pos: r.pos(n), Severity: sluice.SeverityError, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// mapping reads the known keys of a mapping and reports all others. It returns false if n is not a mapping.
func (r *reader) mapping(n *yaml.Node, known fields) bool {
	return r.pairs(n, func(key, value *yaml.Node) {
		if read, ok := known[key.Value]; ok {
			read(value)
			return
		}
		r.unknown(key, slices.Sorted(maps.Keys(known)))
	})
}

// each reads every entry of a mapping whose keys are the user's own names.
func (r *reader) each(n *yaml.Node, read func(name string, n *yaml.Node)) {
	r.pairs(n, func(key, value *yaml.Node) {
		if key.Value == "" {
			r.fault(key, codeMissingKey, "write a name before the colon", "a name is empty")
		}
		read(key.Value, value)
	})
}

func (r *reader) pairs(n *yaml.Node, read func(key, value *yaml.Node)) bool {
	if yamldoc.IsNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		r.fault(n, codeWrongType, "write it as key: value pairs", "expected a mapping, found %s", describe(n))
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			r.fault(key, codeDuplicateKey, "remove one of them", "the key %s is repeated", yamldoc.Quote(key.Value))
			continue
		}
		seen[key.Value] = true
		read(key, value)
	}
	return true
}

func (r *reader) has(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

func (r *reader) unknown(key *yaml.Node, known []string) {
	hint := "known keys: " + strings.Join(known, ", ")
	if near := yamldoc.Nearest(key.Value, known); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	r.fault(key, codeUnknownKey, hint, "unknown key %s", yamldoc.Quote(key.Value))
}

// text returns a scalar as it is written.
func (r *reader) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || yamldoc.IsNull(n) {
		r.fault(n, codeWrongType, "write a text here", "expected a text, found %s", describe(n))
		return ""
	}
	return n.Value
}

func (r *reader) duration(n *yaml.Node) time.Duration {
	s := r.text(n)
	d, err := time.ParseDuration(s)
	if s != "" && (err != nil || d <= 0) {
		r.fault(n, codeBadValue, "write it like 30s, 10m or 1h30m", "%s is not a duration above 0", yamldoc.Quote(s))
	}
	return d
}

func (r *reader) flag(n *yaml.Node) bool {
	switch s := r.text(n); s {
	case "true":
		return true
	case "false", "":
	default:
		r.fault(n, codeBadValue, "write true or false", "%s is neither true nor false", yamldoc.Quote(s))
	}
	return false
}

func (r *reader) list(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		r.fault(n, codeWrongType, "write it like [first, second]", "expected a list, found %s", describe(n))
		return nil
	}
	texts := make([]string, 0, len(n.Content))
	for _, e := range n.Content {
		texts = append(texts, r.text(e))
	}
	return texts
}

func (r *reader) oneOf(n *yaml.Node, allowed ...string) string {
	s := r.text(n)
	if s == "" || slices.Contains(allowed, s) {
		return s
	}
	r.fault(n, codeBadValue, "write "+strings.Join(allowed, " or "), "%s is not supported here", yamldoc.Quote(s))
	return s
}

func (r *reader) url(n *yaml.Node) string {
	s := r.text(n)
	if s != "" && !ValidURL(s) {
		r.fault(n, codeBadValue, "write it like http://127.0.0.1:9090", "%s is not an http or https URL", yamldoc.Quote(s))
	}
	return s
}

// address returns host:port.
func (r *reader) address(n *yaml.Node) string {
	s := r.text(n)
	if _, _, err := net.SplitHostPort(s); err != nil {
		r.fault(n, codeBadValue, "write it like 127.0.0.1:0, where 0 is any free port",
			"%s does not have the form host:port", yamldoc.Quote(s))
	}
	return s
}

// user returns the number of a user other than root.
func (r *reader) user(n *yaml.Node) int64 {
	s := r.text(n)
	id, err := strconv.ParseUint(s, 10, 31)
	if err != nil || id == 0 {
		r.fault(n, codeBadValue, "write its number, like 1000, or remove the line for root",
			"%s is not the number of a user", yamldoc.Quote(s))
	}
	return int64(id) //nolint:gosec // 31 bits
}

func (r *reader) path(n *yaml.Node) string {
	s := r.text(n)
	if s == "" {
		return ""
	}
	return r.abs(s)
}

func (r *reader) abs(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file), path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case yamldoc.IsNull(n):
		return "nothing"
	}
	return yamldoc.Quote(n.Value)
}
