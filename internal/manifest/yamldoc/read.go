package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

// Limits bound the size of one text.
type Limits struct {
	Bytes int // of the text
	Nodes int // after aliases are expanded, over all documents
	Depth int
}

// Read parses every document of the text and returns the root node of each that is not empty. Aliases are replaced by
// their values, so several paths may lead to one node. Merge keys are resolved. After a syntax error, Read also returns
// the documents before it.
func Read(file string, data []byte, limits Limits) ([]*yaml.Node, sluice.Diagnostics) {
	roots, f := read(file, data, limits)
	if f != nil {
		return roots, sluice.Diagnostics{f.finding}
	}
	return roots, nil
}

const (
	mostRepairs   = 10
	mostRepairing = 256 << 10 // bytes: each repair reads the text again
)

// ReadOn is [Read], but if it is clear how a line that is not YAML was meant, ReadOn corrects the line and reads on, to
// find further mistakes. It returns no documents if the text cannot be read to its end.
func ReadOn(file string, data []byte, limits Limits) ([]*yaml.Node, sluice.Diagnostics) {
	var found sluice.Diagnostics
	for {
		roots, f := read(file, data, limits)
		if f == nil {
			return roots, found
		}
		found = append(found, f.finding)
		if f.meant == "" || len(found) > mostRepairs || len(data) > mostRepairing {
			return nil, found
		}
		lines := Lines(data)
		lines[f.finding.Pos.Line-1] = f.meant
		data = []byte(strings.Join(lines, "\n"))
	}
}

func read(file string, data []byte, limits Limits) ([]*yaml.Node, *fault) {
	if d := precheck(file, data, limits); d != nil {
		return nil, &fault{finding: *d}
	}
	var roots []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	w := walker{file: file, limits: limits, seen: map[*yaml.Node]extent{}}
	for {
		var doc yaml.Node
		err := decode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return roots, explain(file, data, err)
		}
		if len(doc.Content) == 0 || IsNull(doc.Content[0]) {
			continue
		}
		if d := w.check(doc.Content[0]); d != nil {
			return roots, &fault{finding: *d}
		}
		roots = append(roots, doc.Content[0])
	}
}

// IsNull reports whether the node is an empty value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// Get returns the value of the key in a map, nil if there is none.
func Get(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Child returns the key and the value of the name in a map, or the entry with the index in a list as both. Both are nil
// if there is none.
func Child(n *yaml.Node, name string) (key, value *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

// At returns the node's place in the file.
func At(file string, n *yaml.Node) sluice.Position {
	return sluice.Position{File: file, Line: n.Line, Column: n.Column}
}

func precheck(file string, data []byte, limits Limits) *sluice.Diagnostic {
	start := sluice.Position{File: file, Line: 1, Column: 1}
	if len(data) > limits.Bytes {
		return finding(start, CodeTooLarge, "make it smaller", "the file has %d bytes, more than %d", len(data), limits.Bytes)
	}
	if !utf8.Valid(data) {
		return finding(invalidAt(file, data), codeNotUTF8, "save it as UTF-8 text", "the file is not valid UTF-8")
	}
	// The parser builds the whole tree before it can be measured. So what can become a node is counted first.
	if marks(data) > limits.Nodes {
		return finding(start, CodeTooLarge, "make it smaller", "the file has more than %d lines and values", limits.Nodes)
	}
	return nil
}

func marks(data []byte) int {
	n := bytes.Count(data, []byte("- ")) + bytes.Count(data, []byte("? "))
	for _, b := range data {
		switch b {
		case '\n', '\r', ',', '[', '{':
			n++
		}
	}
	return n
}

func invalidAt(file string, data []byte) sluice.Position {
	pos := sluice.Position{File: file, Line: 1, Column: 1}
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return pos
		}
		pos.Column++
		if r == '\n' {
			pos.Line, pos.Column = pos.Line+1, 1
		}
		data = data[size:]
	}
	return pos
}

// decode turns a panic of the parser into an error: no text may end the process that reads it.
func decode(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the text cannot be read: %v", p)
		}
	}()
	return dec.Decode(doc)
}

// lineBreaks end a line in YAML, and so in the positions of this package.
var lineBreaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// Lines splits the text into lines as the parser counts them, without line breaks.
func Lines(data []byte) []string { return lineBreaks.Split(string(data), -1) }

// Line returns the numbered line of the text without its line break, or "" if there is no such line.
func Line(data []byte, number int) string {
	lines := lineBreaks.Split(string(data), number+1)
	if number < 1 || number > len(lines) {
		return ""
	}
	return lines[number-1]
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func finding(pos sluice.Position, code, hint, format string, args ...any) *sluice.Diagnostic {
	return &sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: code, Hint: hint,
		Message: fmt.Sprintf(format, args...)}
}
