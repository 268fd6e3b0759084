package deployfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

var (
	bareTemplate = regexp.MustCompile(`^\s*(?:- )*(?:[A-Za-z]+: +)(\{\{)`)
	gluedLine    = regexp.MustCompile(`^\s*(?:- )*([A-Za-z]+):(['"\[{])`)
	tabIndent    = regexp.MustCompile(`^ *\t`)
	innerSingle  = regexp.MustCompile(`^\s*(?:- )*[A-Za-z]+: +'(?:[^']|'')*(')[^\s',#\]}]`)
	innerDouble  = regexp.MustCompile(`^\s*(?:- )*[A-Za-z]+: +"(?:[^"\\]|\\.)*(")[^\s",#\]}]`)
	drifted      = regexp.MustCompile(`^ +(targets|manifests|strategies|analysis|webhooks|trafficManagement|datasets|deploymentConfig|application):`)
)

// sharpen replaces the parser's words for a syntax error where a usual mistake stands near it.
func sharpen(file string, data []byte, ds sluice.Diagnostics) sluice.Diagnostics {
	d := ds[len(ds)-1]
	if d.Code != "yaml-syntax" {
		return ds
	}
	// The parser notices a mistake only some lines after it, and counts from 0 in some of its errors.
	for line := d.Pos.Line + 1; line >= max(1, d.Pos.Line-3); line-- {
		if found, ok := usual(yamldoc.Line(data, line)); ok {
			found.Pos.File, found.Pos.Line = file, line
			return sluice.Diagnostics{found}
		}
	}
	return ds
}

func usual(text string) (sluice.Diagnostic, bool) {
	at := func(i int) sluice.Position { return sluice.Position{Column: utf8.RuneCountInString(text[:i]) + 1} }
	if m := bareTemplate.FindStringSubmatchIndex(text); m != nil {
		return unquoted(at(m[2]), strings.TrimSpace(text[m[2]:])), true
	}
	if m := gluedLine.FindStringSubmatchIndex(text); m != nil {
		key := text[m[2]:m[3]]
		return sluice.Diagnostic{Pos: at(m[4]), Severity: sluice.SeverityError, Code: codeMissingSpace,
			Message: "there is no space after the colon of " + key, Hint: "write " + key + ": " + clip(text[m[4]:])}, true
	}
	if m := firstMatch(text, innerSingle, innerDouble); m != nil {
		return sluice.Diagnostic{Pos: at(m[2]), Severity: sluice.SeverityError, Code: codeInnerQuote, Message: "this quote ends the text, but the text goes on",
			Hint: "write a ' inside '…' twice, a \" inside \"…\" as \\\", or put the text below the key: inline: >-"}, true
	}
	if m := drifted.FindStringSubmatchIndex(text); m != nil {
		return sluice.Diagnostic{Pos: at(m[2]), Severity: sluice.SeverityError, Code: codeDrifted, Message: text[m[2]:m[3]] + " does not begin where the keys above it begin",
			Hint: fmt.Sprintf("remove %s before it", spaces(m[2]))}, true
	}
	if tabIndent.MatchString(text) {
		return sluice.Diagnostic{Pos: at(strings.IndexByte(text, '\t')), Severity: sluice.SeverityError, Code: "yaml-syntax",
			Message: "the line is indented with a tab", Hint: "indent with spaces"}, true
	}
	return sluice.Diagnostic{}, false
}

func spaces(n int) string {
	if n == 1 {
		return "the space"
	}
	return fmt.Sprintf("the %d spaces", n)
}

func firstMatch(text string, patterns ...*regexp.Regexp) []int {
	for _, re := range patterns {
		if m := re.FindStringSubmatchIndex(text); m != nil {
			return m
		}
	}
	return nil
}

func unquoted(pos sluice.Position, template string) sluice.Diagnostic {
	if i := strings.Index(template, " #"); i > 0 {
		template = strings.TrimSpace(template[:i])
	}
	return sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: codeUnquotedTemplate,
		Message: "a value that begins with {{ is a map to YAML", Hint: `put it in quotes: "` + clip(template) + `"`}
}

// quoteTemplates finds templates that YAML took for maps, reports them and makes them the text that was meant.
func (p *parser) quoteTemplates(root *yaml.Node) {
	seen := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if name, ok := bareName(n); ok {
			d := unquoted(p.at(n), "{{"+name+"}}")
			p.add(d.Pos, d.Severity, d.Code, d.Hint, d.Message)
			*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "{{" + name + "}}", Line: n.Line, Column: n.Column}
			return
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(root)
}

// bareName returns the name in {{name}}, which YAML reads as a map with a map as its only key.
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
