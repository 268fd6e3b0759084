package schema

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// Check returns what Kubernetes would refuse in an object, each finding at its key or value. The object is a map with
// an apiVersion, a kind and a name. A field that Kubernetes does not know is an error if it resembles one that it
// knows, otherwise a warning, because a newer version may know it. No finding shows a value of a Secret.
func Check(file string, n *yaml.Node) sluice.Diagnostics {
	apiVersion, kind := yamldoc.Get(n, "apiVersion"), yamldoc.Get(n, "kind")
	c := &checker{file: file, hidden: kind.Value == "Secret"}
	c.value(apiVersion, spot{path: "apiVersion", of: "string"})
	c.value(kind, spot{path: "kind", of: "string"})
	if len(c.found) > 0 {
		return c.found
	}
	of := c.kind(apiVersion, kind)
	if of == "" {
		c.custom(n)
	} else {
		c.value(n, spot{of: of})
	}
	c.objectName(kind.Value, yamldoc.Get(yamldoc.Get(n, "metadata"), "name"))
	if len(c.found) > mostFindings {
		c.report(kind, codeTooManyFindings, "correct the others first", "the %s has more findings", escape(kind.Value))
	}
	slices.SortStableFunc(c.found, func(a, b sluice.Diagnostic) int {
		return cmp.Or(a.Pos.Line-b.Pos.Line, a.Pos.Column-b.Pos.Column)
	})
	return c.found
}

// mostFindings is how many findings an object may have before the rest of it is left out.
const mostFindings = 200

type checker struct {
	file   string
	hidden bool // the object is a Secret
	around []level
	found  sluice.Diagnostics
}

// A level is a map in an object, and its type.
type level struct {
	path string
	t    shape
}

// A spot is a place in an object.
type spot struct {
	path  string // such as spec.containers[0].name
	field string // the type without its group, and the field, such as Container.name
	of    string // the type that the value must have
}

func (s spot) key(name, of string) spot {
	s.path, s.of = join(s.path, name), of
	return s
}

func (s spot) index(i int, of string) spot {
	s.path, s.of = fmt.Sprintf("%s[%d]", s.path, i), of
	return s
}

func join(path, key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return r == '.' || r == '/' || r <= ' ' || !strconv.IsPrint(r) }) {
		return path + "[" + quote(key) + "]"
	}
	return strings.TrimPrefix(path+"."+shorten(key), ".")
}

// quote escapes what could change the terminal or the reading direction, and keeps a finding short.
func quote(text string) string { return strconv.Quote(shorten(text)) }

// escape is quote without the quotes.
func escape(text string) string {
	quoted := quote(text)
	return quoted[1 : len(quoted)-1]
}

func shorten(text string) string {
	if r := []rune(text); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return text
}

func (c *checker) report(n *yaml.Node, code, hint, format string, args ...any) {
	c.add(n, sluice.Diagnostic{Severity: sluice.SeverityError, Code: code, Hint: hint,
		Message: fmt.Sprintf(format, args...)})
}

func (c *checker) add(n *yaml.Node, d sluice.Diagnostic) {
	d.Pos = yamldoc.At(c.file, n)
	c.found = append(c.found, d)
}

// value checks that the node has the spot's type. An empty value counts as absent.
func (c *checker) value(n *yaml.Node, s spot) {
	if yamldoc.IsNull(n) || len(c.found) > mostFindings {
		return
	}
	if entries, ok := strings.CutPrefix(s.of, "[]"); ok {
		c.list(n, s, entries)
		return
	}
	if values, ok := strings.CutPrefix(s.of, "map["); ok {
		c.dictionary(n, s, strings.TrimSuffix(values, "]"))
		return
	}
	if t, ok := kubernetes().Types[s.of]; ok {
		c.object(n, s, t)
		return
	}
	if s.of == "any" {
		c.anything(n, s)
		return
	}
	c.scalar(n, s)
}

func (c *checker) list(n *yaml.Node, s spot, entries string) {
	if n.Kind != yaml.SequenceNode {
		c.wrongType(n, s, "a list", "write one entry a line, each after \"- \"")
		return
	}
	for i, entry := range n.Content {
		if at := s.index(i, entries); yamldoc.IsNull(entry) && entries != "any" {
			c.report(entry, codeWrongType, "write the entry, or remove the \"-\"", "%s is empty", at.path)
		} else {
			c.value(entry, at)
		}
	}
}

func (c *checker) dictionary(n *yaml.Node, s spot, values string) {
	if n.Kind != yaml.MappingNode {
		c.wrongType(n, s, "a map", "write one \"key: value\" a line")
		return
	}
	for key, value := range c.pairs(n, s) {
		c.mapKey(key, s)
		c.value(value, s.key(key.Value, values))
	}
	c.checkMap(n, s)
}

func (c *checker) object(n *yaml.Node, s spot, t shape) {
	if n.Kind != yaml.MappingNode {
		c.wrongType(n, s, "a map", "write one \"key: value\" a line")
		return
	}
	c.around = append(c.around, level{s.path, t})
	defer func() { c.around = c.around[:len(c.around)-1] }()
	above := "" // the field above, if it is an empty map
	for key, value := range c.pairs(n, s) {
		of, known := t.Fields[key.Value]
		switch {
		case known && yamldoc.IsNull(value) && isMap(of):
			above = join(s.path, key.Value)
		case known:
			above = ""
		default:
			c.unknown(key, s, t, above)
			of = "any"
		}
		at := s.key(key.Value, of)
		at.field = base(s.of) + "." + key.Value
		c.value(value, at)
		if keys := t.Keys[key.Value]; keys != nil {
			c.repeated(value, at, keys)
		}
	}
	c.required(n, s, slices.Concat(t.Required, needed[base(s.of)]))
	c.checkObject(n, s)
}

func (c *checker) required(n *yaml.Node, s spot, fields []string) {
	for _, field := range fields {
		if slices.Contains(optional, base(s.of)+"."+field) {
			continue
		}
		value, mustFill := yamldoc.Get(n, field), slices.Contains(filled, base(s.of)+"."+field)
		if value == nil || yamldoc.IsNull(value) || (field == "name" || field == "image") && isEmpty(value) {
			c.report(n, codeMissingField, "add "+field+":", "%s is missing", join(s.path, field))
		} else if mustFill && value.Kind == yaml.SequenceNode && len(value.Content) == 0 {
			c.report(value, codeMissingField, "write at least one entry", "%s is empty", join(s.path, field))
		}
	}
}

func isEmpty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == "" }

// custom checks an object whose type is not known.
func (c *checker) custom(n *yaml.Node) {
	for key, value := range c.pairs(n, spot{}) {
		at := spot{}.key(key.Value, "any")
		if key.Value == "metadata" {
			at.of = "meta.v1.ObjectMeta"
		}
		c.value(value, at)
	}
}

// anything checks only what every value must be.
func (c *checker) anything(n *yaml.Node, s spot) {
	switch n.Kind {
	case yaml.MappingNode:
		for key, value := range c.pairs(n, s) {
			c.anything(value, s.key(key.Value, s.of))
		}
	case yaml.SequenceNode:
		for i, entry := range n.Content {
			c.anything(entry, s.index(i, s.of))
		}
	default:
		c.decode(n, s)
	}
}

// pairs yields the keys and values of a map, and reports what cannot be a key.
func (c *checker) pairs(n *yaml.Node, s spot) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			first, twice := seen[key.Value]
			switch {
			case key.Kind != yaml.ScalarNode:
				c.report(key, codeBadManifest, "if this is a template, render it first, or quote it",
					"a key of %s is not plain text", s.name())
				continue
			case twice:
				hint := "remove one of the two"
				if s.path == "" {
					hint += ", or write --- above it if another object begins here"
				}
				c.report(key, codeBadManifest, hint, "the key %s is repeated; it is also in line %d",
					quote(join(s.path, key.Value)), first)
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

func (s spot) name() string {
	if s.path == "" {
		return "the object"
	}
	return s.path
}

func isMap(of string) bool {
	_, known := kubernetes().Types[of]
	return known || strings.HasPrefix(of, "map[")
}

// unknown reports a field that is not in the schema. above is the path of the empty map above it, "" if there is none.
func (c *checker) unknown(key *yaml.Node, s spot, t shape, above string) {
	path := join(s.path, key.Value)
	if hint := c.meant(key.Value, t, above); hint != "" {
		c.report(key, codeUnknownField, hint, "there is no field %s", path)
		return
	}
	c.add(key, sluice.Diagnostic{Severity: sluice.SeverityWarning, Code: codeUnknownField,
		Message: fmt.Sprintf("there is no field %s in Kubernetes %s", path, kubernetes().Version),
		Hint:    "correct or remove it, unless your cluster is newer: a cluster refuses a field that it does not know"})
}

// meant says what was meant by a field that is not in the schema, "" if nothing resembles it.
func (c *checker) meant(field string, t shape, above string) string {
	near := yamldoc.Nearest(field, slices.Sorted(maps.Keys(t.Fields)))
	plural := near == field+"s"
	if place := c.elsewhere(field); place != "" && !plural {
		return "it belongs in " + place
	}
	if near != "" {
		return "did you mean " + near + "?"
	}
	if above != "" {
		return "if it belongs in " + above + ", indent it further"
	}
	return ""
}

// elsewhere returns the path of the map around or below the current one that has the field, where a wrong indentation
// took it from.
func (c *checker) elsewhere(field string) string {
	for _, outer := range slices.Backward(c.around) {
		if _, has := outer.t.Fields[field]; has && outer.path != "" {
			return outer.path
		}
	}
	for depth := 1; depth <= 3; depth++ {
		if place := c.around[len(c.around)-1].below(field, depth); place != "" {
			return place
		}
	}
	return ""
}

// below returns the path of a map so many levels below that has the field.
func (l level) below(field string, depth int) string {
	if _, has := l.t.Fields[field]; has && depth == 0 {
		return l.path
	}
	if depth == 0 {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(l.t.Fields)) {
		t, isMap := kubernetes().Types[strings.TrimPrefix(l.t.Fields[name], "[]")]
		if !isMap {
			continue
		}
		if place := (level{join(l.path, name), t}).below(field, depth-1); place != "" {
			return place
		}
	}
	return ""
}

// repeated reports entries of a list that Kubernetes takes for the same one.
func (c *checker) repeated(list *yaml.Node, s spot, keys []string) {
	if list.Kind != yaml.SequenceNode {
		return
	}
	first := map[string]int{}
	for i, entry := range list.Content {
		var parts []string
		for _, key := range keys {
			if v := yamldoc.Get(entry, key); v != nil && v.Kind == yaml.ScalarNode && v.Value != "" {
				parts = append(parts, key+" "+quote(v.Value))
			} else if key == "protocol" {
				parts = append(parts, `protocol "TCP"`)
			}
		}
		id := strings.Join(parts, ", ")
		if j, twice := first[id]; twice && len(parts) == len(keys) {
			c.report(entry, codeBadValue, "keep one of them, or give them different names",
				"%s[%d] and [%d] both have %s", s.path, j, i, id)
			continue
		}
		first[id] = i
	}
}
