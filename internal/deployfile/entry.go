package deployfile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// listed returns the entries of a list of maps as they were meant: an entry without its dash is one of its own, and the
// pieces of an entry with a dash before each of its keys are one. It reports both.
func (p *parser) listed(list []*yaml.Node, t *table) []*yaml.Node {
	var entries []*yaml.Node
	for _, n := range list {
		entries = append(entries, p.split(n)...)
	}
	return p.joined(entries, "align %s with %s", t.join)
}

// split divides an entry where its keys begin anew.
func (p *parser) split(n *yaml.Node) []*yaml.Node {
	var entries []*yaml.Node
	for at := beginsAnew(n); at > 0; at = beginsAnew(n) {
		first := n.Content[at]
		p.error(first, yamldoc.CodeMissingDash, "put a dash before it: - "+clip(first.Value)+":", "a new entry begins here")
		head, rest := *n, *n
		head.Content, rest.Content = n.Content[:at], n.Content[at:]
		rest.Line, rest.Column = first.Line, first.Column
		entries, n = append(entries, &head), &rest
	}
	return append(entries, n)
}

// beginsAnew returns the index of the key that begins another entry, 0 if there is none: the first key repeated, or the
// first of several repeated keys. One other repeated key is just that.
func beginsAnew(n *yaml.Node) int {
	if n.Kind != yaml.MappingNode {
		return 0
	}
	seen := map[string]bool{}
	first, repeated := 0, 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || !seen[key.Value] {
			seen[key.Value] = true
			continue
		}
		if key.Value == n.Content[0].Value && first == 0 {
			return i
		}
		if repeated++; first == 0 {
			first = i
		}
	}
	if repeated < 2 {
		return 0
	}
	return first
}

// joined puts the pieces of torn entries together. join returns two neighbours as one, nil if they are two. how says
// what to do with the first key of a piece, beside the first key of the whole.
func (p *parser) joined(list []*yaml.Node, how string, join func(entry, next *yaml.Node) *yaml.Node) []*yaml.Node {
	var whole []*yaml.Node
	for len(list) > 0 {
		n, rest := list[0], list[1:]
		for len(rest) > 0 {
			both := join(n, rest[0])
			if both == nil {
				break
			}
			n, rest = both, rest[1:]
		}
		if pieces := list[1 : len(list)-len(rest)]; len(pieces) > 0 {
			p.stray(pieces, fmt.Sprintf(how, clip(pieces[0].Content[0].Value), clip(n.Content[0].Value)))
		}
		whole, list = append(whole, n), rest
	}
	return whole
}

// stray reports the dashes before the pieces of one entry.
func (p *parser) stray(pieces []*yaml.Node, how string) {
	var lines []string
	for _, piece := range pieces[1:] {
		lines = append(lines, fmt.Sprint(piece.Line))
	}
	where := ""
	if len(lines) > 0 {
		where = ", also on line " + strings.Join(lines, " and ")
	}
	first := pieces[0]
	p.error(first, codeStrayDash, "remove the dash and "+how+where,
		"%s belongs to the entry above, but its dash begins a new one", clip(first.Content[0].Value))
}

// join returns one entry if the list has an entry with only some of its keys, and the next has only others.
func (t *table) join(entry, next *yaml.Node) *yaml.Node {
	if !t.knows(entry) || !t.knows(next) || yamldoc.Get(next, t.keys[0].name) != nil || !disjoint(entry, next) ||
		t.complete(entry) && t.complete(next) {
		return nil
	}
	both := *entry
	both.Content = slices.Concat(entry.Content, next.Content)
	return &both
}

// knows reports whether n is a map with known keys only, and at least one.
func (t *table) knows(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if _, known := t.find(n.Content[i].Value); !known {
			return false
		}
	}
	return true
}

// complete reports whether the map has all keys that are required.
func (t *table) complete(n *yaml.Node) bool {
	for _, k := range t.keys {
		if k.absent == required && yamldoc.Get(n, k.name) == nil {
			return false
		}
	}
	return len(t.one) == 0 || slices.ContainsFunc(t.one, func(key string) bool { return yamldoc.Get(n, key) != nil })
}

// loose returns a map whose keys stand in a list, each behind its own dash, and reports that. It returns nil for
// anything else.
func (p *parser) loose(n *yaml.Node, what string, t *table) *yaml.Node {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil
	}
	whole := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	for _, piece := range n.Content {
		if !t.knows(piece) || !disjoint(whole, piece) {
			return nil
		}
		whole.Content = append(whole.Content, piece.Content...)
	}
	p.error(n, codeStrayDash, "remove the dash before "+clip(whole.Content[0].Value)+more(len(n.Content)-1),
		"%s must be a map of keys and values, but this is a list", what)
	return whole
}

// disjoint reports whether two maps have no key in common.
func disjoint(a, b *yaml.Node) bool {
	for i := 0; i < len(b.Content); i += 2 {
		if yamldoc.Get(a, b.Content[i].Value) != nil {
			return false
		}
	}
	return true
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return " and before the keys below it"
}

// wholeSteps returns the steps as they were meant: fields with a dash of their own belong to the step before them.
func (p *parser) wholeSteps(list []*yaml.Node) []*yaml.Node {
	return p.joined(list, "indent %s below %s", joinStep)
}

// joinStep returns one step if the next entry has nothing but fields that the step lacks.
func joinStep(step, next *yaml.Node) *yaml.Node {
	if step.Kind != yaml.MappingNode || len(step.Content) != 2 {
		return nil
	}
	kind, value := step.Content[0], step.Content[1]
	t := stepKeys[sluice.StepKind(kind.Value)]
	if t == nil || !t.knows(next) || !yamldoc.IsNull(value) && (value.Kind != yaml.MappingNode || !disjoint(value, next)) {
		return nil
	}
	both := *step
	both.Content = []*yaml.Node{kind, {Kind: yaml.MappingNode, Tag: "!!map", Line: kind.Line, Column: kind.Column,
		Content: slices.Concat(value.Content, next.Content)}}
	return &both
}
