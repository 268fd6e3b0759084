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
	blockStart   = regexp.MustCompile(`^\s*(?:- )*([A-Za-z]+): +[|>][-+0-9]*\s*(?:#.*)?$`)
	bareTemplate = regexp.MustCompile(`^\s*(?:- )*(?:[A-Za-z]+: +)(\{\{)`)
	gluedLine    = regexp.MustCompile(`^\s*(?:- )*([A-Za-z]+):(['"\[{])`)
	tabIndent    = regexp.MustCompile(`^ *\t`)
	innerSingle  = regexp.MustCompile(`^\s*(?:- )*[A-Za-z]+: +'(?:[^']|'')*(')[^\s',#\]}]`)
	innerDouble  = regexp.MustCompile(`^\s*(?:- )*[A-Za-z]+: +"(?:[^"\\]|\\.)*(")[^\s",#\]}]`)
	drifted      = regexp.MustCompile(`^ +(targets|manifests|strategies|analysis|webhooks|trafficManagement|datasets|` +
		`deploymentConfig|application):`)
)

const (
	mostRepairs   = 10
	longestLine   = 4096      // bytes: people do not write longer lines
	mostRepairing = 256 << 10 // bytes: each repair reads the text again
)

// read reads the text. If a common mistake makes it invalid YAML, read reports the mistake. If the intent is clear, it
// also corrects the line and reads on, to find further mistakes.
func read(file string, data []byte) ([]*yaml.Node, sluice.Diagnostics) {
	var found sluice.Diagnostics
	for {
		roots, ds := yamldoc.Read(file, data, limits)
		if !ds.HasErrors() {
			return roots, append(found, ds...)
		}
		d := ds[len(ds)-1]
		m, ok := usualMistake(data, d)
		if !ok {
			return nil, append(found, d)
		}
		m.found.Pos.File = file
		found = append(found, m.found)
		if m.repaired == "" || len(found) > mostRepairs || len(data) > mostRepairing {
			return nil, found
		}
		data = withLine(data, m.found.Pos.Line, m.repaired)
	}
}

// A mistake makes a line invalid YAML. repaired is the line as it was meant, "" if that is not clear.
type mistake struct {
	found    sluice.Diagnostic
	repaired string
}

// usualMistake looks for the first line that explains why the parser gave up, from a little before that place on.
// Lines of block texts explain nothing.
func usualMistake(data []byte, d sluice.Diagnostic) (mistake, bool) {
	if d.Code != yamldoc.CodeSyntax {
		return mistake{}, false
	}
	block := -1
	for i, text := range yamldoc.Lines(data) {
		if indent := len(text) - len(strings.TrimLeft(text, " ")); block >= 0 {
			if strings.TrimSpace(text) == "" || indent > block {
				continue
			}
			block = -1
		}
		if m := blockStart.FindStringSubmatchIndex(text); m != nil {
			block = m[2]
			continue
		}
		if i+1 < d.Pos.Line-3 || len(text) > longestLine {
			continue
		}
		if m, ok := usual(text); ok {
			m.found.Pos.Line = i + 1
			return m, true
		}
	}
	return mistake{}, false
}

func withLine(data []byte, number int, text string) []byte {
	lines := yamldoc.Lines(data)
	lines[number-1] = text
	return []byte(strings.Join(lines, "\n"))
}

func usual(text string) (mistake, bool) {
	fault := func(i int, code, hint, message string) sluice.Diagnostic {
		return sluice.Diagnostic{Pos: sluice.Position{Column: utf8.RuneCountInString(text[:i]) + 1}, Code: code,
			Severity: sluice.SeverityError, Message: message, Hint: hint}
	}
	if m := bareTemplate.FindStringSubmatchIndex(text); m != nil {
		value := withoutComment(text[m[2]:])
		return mistake{fault(m[2], codeUnquotedTemplate, quoteIt(value), isMap),
			text[:m[2]] + "'" + strings.ReplaceAll(value, "'", "''") + "'"}, true
	}
	if m := gluedLine.FindStringSubmatchIndex(text); m != nil {
		key, value := text[m[2]:m[3]], text[m[4]:]
		return mistake{fault(m[4], codeMissingSpace, "write "+key+": "+clip(value),
			"a space is missing after the colon of "+key), text[:m[4]] + " " + value}, true
	}
	if m := firstMatch(text, innerSingle, innerDouble); m != nil {
		return mistake{found: fault(m[2], codeInnerQuote,
			"write a ' inside '…' twice, a \" inside \"…\" as \\\", or put the text below the key: inline: >-",
			"this quote ends the text, but more text follows")}, true
	}
	if m := drifted.FindStringSubmatchIndex(text); m != nil {
		return mistake{found: fault(m[2], codeDrifted, "remove "+spaces(m[2])+" before it",
			text[m[2]:m[3]]+" is not indented like the keys above it")}, true
	}
	if tabIndent.MatchString(text) {
		return mistake{found: fault(strings.IndexByte(text, '\t'), yamldoc.CodeSyntax, "indent with spaces",
			"the line is indented with a tab")}, true
	}
	return mistake{}, false
}

func withoutComment(value string) string {
	if i := strings.Index(value, " #"); i > 0 {
		value = value[:i]
	}
	return strings.TrimSpace(value)
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
			p.error(n, codeUnquotedTemplate, quoteIt("{{"+name+"}}"), isMap)
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
