package deployfile

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
	"github.com/sluice-cd/sluice/internal/template"
)

// template reports what can never be filled in.
func (p *parser) template(n *yaml.Node, at template.Place) {
	from := p.at(n)
	for _, m := range template.Check(n.Value, at) {
		pos, ok := p.find(m.Part, from)
		if ok {
			from = sluice.Position{Line: pos.Line, Column: pos.Column + 1}
		} else {
			pos = p.at(n)
		}
		p.errorAt(pos, codeBadTemplate, m.Hint, "%s", m.Message)
	}
}

// find returns the next place of the text in the file. It is not there if the file writes it in another way, with
// escapes or on several lines.
func (p *parser) find(text string, from sluice.Position) (sluice.Position, bool) {
	if p.lines == nil {
		p.lines = yamldoc.Lines(p.data)
	}
	for i := from.Line - 1; i < len(p.lines); i++ {
		line, skipped := p.lines[i], 0
		if i == from.Line-1 {
			skipped = afterRunes(line, from.Column-1)
		}
		if at := strings.Index(line[skipped:], text); at >= 0 {
			column := utf8.RuneCountInString(line[:skipped+at]) + 1
			return sluice.Position{File: p.file, Line: i + 1, Column: column}, true
		}
	}
	return sluice.Position{}, false
}

// afterRunes returns the index of the byte after the first n characters.
func afterRunes(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}
