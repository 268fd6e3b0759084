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
	drifted      = regexp.MustCompile(`^ +(targets|manifests|strategies|analysis|webhooks|trafficManagement|datasets|deploymentConfig|application):`)
)

const (
	mostRepairs   = 10
	longestLine   = 4096      // bytes: longer lines are not written by people
	mostRepairing = 256 << 10 // bytes: repairing reads the text again each time
)

// read reads the text. Where a usual mistake makes it no YAML, that is reported and, if it is plain what was
// meant, corrected for the rest of the reading, so that what follows is found as well.
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

// A mistake is why a line is no YAML; repaired is the line as it was meant, "" if that is not plain.
type mistake struct {
	found    sluice.Diagnostic
	repaired string
}

// usualMistake looks from a little before the place where the parser gave up, which for an open block is where
// the block begins, to the first line that explains it. Lines of block texts explain nothing.
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
			m.found.Severity = sluice.SeverityError
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
	at := func(i int) sluice.Position { return sluice.Position{Column: utf8.RuneCountInString(text[:i]) + 1} }
	if m := bareTemplate.FindStringSubmatchIndex(text); m != nil {
		value := withoutComment(text[m[2]:])
		return mistake{unquoted(at(m[2]), value), text[:m[2]] + "'" + strings.ReplaceAll(value, "'", "''") + "'"}, true
	}
	if m := gluedLine.FindStringSubmatchIndex(text); m != nil {
		key, value := text[m[2]:m[3]], text[m[4]:]
		return mistake{sluice.Diagnostic{Pos: at(m[4]), Code: codeMissingSpace,
			Message: "there is no space after the colon of " + key,
			Hint:    "write " + key + ": " + clip(value)}, text[:m[4]] + " " + value}, true
	}
	if m := firstMatch(text, innerSingle, innerDouble); m != nil {
		return mistake{found: sluice.Diagnostic{Pos: at(m[2]), Code: codeInnerQuote,
			Message: "this quote ends the text, but the text goes on",
			Hint:    "write a ' inside '…' twice, a \" inside \"…\" as \\\", or put the text below the key: inline: >-"}}, true
	}
	if m := drifted.FindStringSubmatchIndex(text); m != nil {
		return mistake{found: sluice.Diagnostic{Pos: at(m[2]), Code: codeDrifted,
			Message: text[m[2]:m[3]] + " does not begin where the keys above it begin", Hint: "remove " + spaces(m[2]) +
				" before it"}}, true
	}
	if tabIndent.MatchString(text) {
		return mistake{found: sluice.Diagnostic{Pos: at(strings.IndexByte(text, '\t')), Code: yamldoc.CodeSyntax,
			Message: "the line is indented with a tab", Hint: "indent with spaces"}}, true
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

func unquoted(pos sluice.Position, template string) sluice.Diagnostic {
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
