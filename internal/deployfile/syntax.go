package deployfile

import (
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

const isMap = "YAML reads a value that begins with {{ as a map"

func quoteIt(template string) string { return `put it in quotes: "` + clip(template) + `"` }

// quoteTemplates reports templates that YAML reads as maps, and turns them into the text that was meant.
func (p *parser) quoteTemplates(root *yaml.Node) {
	seen := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if name, ok := bareName(n); ok {
			p.error(n, yamldoc.CodeUnquotedTemplate, quoteIt("{{"+name+"}}"), isMap)
			*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "{{" + name + "}}", Line: n.Line, Column: n.Column}
			return
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(root)
}

// bareName returns the name in {{name}}, which YAML reads as a map whose only key is a map.
func bareName(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return "", false
	}
	inner := n.Content[0]
	if inner.Kind != yaml.MappingNode || len(inner.Content) != 2 || !yamldoc.IsNull(n.Content[1]) {
		return "", false
	}
	return inner.Content[0].Value, inner.Content[0].Kind == yaml.ScalarNode
}
