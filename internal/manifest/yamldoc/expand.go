package yamldoc

import (
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

// An extent is how large a node is with all aliases below it expanded.
type extent struct {
	nodes, depth int
	open         bool // being walked: if it is met again, it contains itself
}

type walker struct {
	file   string
	limits Limits
	seen   map[*yaml.Node]extent
	total  int
}

func (w *walker) check(root *yaml.Node) *sluice.Diagnostic {
	size, d := w.expand(root, 1)
	if d != nil {
		return d
	}
	w.total += size.nodes
	if w.total > w.limits.Nodes {
		return finding(At(w.file, root), CodeAliasGrowth, "use fewer aliases, or split the file",
			"with its aliases expanded the file has more than %d values", w.limits.Nodes)
	}
	return nil
}

func (w *walker) expand(n *yaml.Node, depth int) (extent, *sluice.Diagnostic) {
	if known, ok := w.seen[n]; ok {
		return w.again(n, known, depth)
	}
	if depth > w.limits.Depth {
		return extent{}, w.tooDeep(n)
	}
	w.seen[n] = extent{open: true}
	size := extent{nodes: 1, depth: 1}
	for i, child := range n.Content {
		if child.Kind == yaml.AliasNode {
			child = child.Alias
			n.Content[i] = child
		}
		below, d := w.expand(child, depth+1)
		if d != nil {
			return extent{}, d
		}
		size.nodes += below.nodes
		size.depth = max(size.depth, below.depth+1)
		if size.nodes > w.limits.Nodes {
			return extent{}, finding(At(w.file, n), CodeAliasGrowth, "use fewer aliases",
				"with its aliases expanded this has more than %d values", w.limits.Nodes)
		}
	}
	w.seen[n] = size
	return size, w.merge(n)
}

func (w *walker) again(n *yaml.Node, known extent, depth int) (extent, *sluice.Diagnostic) {
	if known.open {
		return extent{}, finding(At(w.file, n), CodeAliasCycle, "remove the alias inside &"+n.Anchor,
			"this value contains itself through an alias")
	}
	if depth+known.depth > w.limits.Depth {
		return extent{}, w.tooDeep(n)
	}
	return known, nil
}

func (w *walker) tooDeep(n *yaml.Node) *sluice.Diagnostic {
	return finding(At(w.file, n), CodeTooDeep, "nest less deeply", "values are nested more than %d deep", w.limits.Depth)
}

// merge resolves "<<" keys: the keys that they add come after the node's own keys and never replace one.
func (w *walker) merge(n *yaml.Node) *sluice.Diagnostic {
	if n.Kind != yaml.MappingNode || !hasMerge(n) {
		return nil
	}
	var own, sources []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() != "!!merge" {
			own = append(own, key, value)
			continue
		}
		from := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			from = value.Content
		}
		for _, s := range from {
			if s.Kind != yaml.MappingNode {
				return finding(At(w.file, key), codeBadMerge, "write <<: *name, where &name marks a map",
					"a << key takes a map or a list of maps")
			}
		}
		sources = append(sources, from...)
	}
	has := map[string]bool{}
	for i := 0; i < len(own); i += 2 {
		has[own[i].Value] = true
	}
	for _, s := range sources {
		for i := 0; i+1 < len(s.Content); i += 2 {
			if key := s.Content[i]; !has[key.Value] {
				has[key.Value] = true
				own = append(own, key, s.Content[i+1])
			}
		}
	}
	n.Content = own
	return nil
}

func hasMerge(n *yaml.Node) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() == "!!merge" {
			return true
		}
	}
	return false
}
