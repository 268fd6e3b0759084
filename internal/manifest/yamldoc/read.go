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

// Limits bound what one reading may take.
type Limits struct {
	Bytes int // of the text
	Nodes int // after aliases are expanded, over all documents
	Depth int
}

// Read parses every document of the text and returns the root node of each that is not empty. Aliases are
// replaced by what they stand for, so one node may be reached on several ways; merge keys are carried out.
// After a syntax error the documents before it are returned as well.
func Read(file string, data []byte, limits Limits) ([]*yaml.Node, sluice.Diagnostics) {
	if d := precheck(file, data, limits); d != nil {
		return nil, sluice.Diagnostics{*d}
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
			return roots, sluice.Diagnostics{syntax(file, data, err)}
		}
		if len(doc.Content) == 0 || IsNull(doc.Content[0]) {
			continue
		}
		if d := w.check(doc.Content[0]); d != nil {
			return roots, sluice.Diagnostics{*d}
		}
		roots = append(roots, doc.Content[0])
	}
}

// IsNull reports whether the node is an empty value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// At returns the node's place in the file.
func At(file string, n *yaml.Node) sluice.Position {
	return sluice.Position{File: file, Line: n.Line, Column: n.Column}
}

func precheck(file string, data []byte, limits Limits) *sluice.Diagnostic {
	start := sluice.Position{File: file, Line: 1, Column: 1}
	if len(data) > limits.Bytes {
		return finding(start, CodeTooLarge, "the file has %d bytes, more than the %d that are read", len(data), limits.Bytes).
			hint("split it")
	}
	if !utf8.Valid(data) {
		return finding(invalidAt(file, data), codeNotUTF8, "the file is not valid UTF-8").hint("save it as UTF-8 text")
	}
	// The parser builds the whole tree before it can be measured, so what can become a node is counted first.
	if marks(data) > limits.Nodes {
		return finding(start, CodeTooLarge, "the file has more than %d lines and values", limits.Nodes).hint("split it")
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

// A panic of the parser on a stranger's text must not end the process that reads it.
func decode(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the text cannot be read: %v", p)
		}
	}()
	return dec.Decode(doc)
}

var lineInError = regexp.MustCompile(`^line (\d+): `)

func syntax(file string, data []byte, err error) sluice.Diagnostic {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := lineInError.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	pos := sluice.Position{File: file, Line: line, Column: indent(Line(data, line)) + 1}
	return *finding(pos, CodeSyntax, "this is not YAML: %s",
		message).hint("check the indentation and the quotes here and on the line above")
}

// What ends a line in YAML, and so in the positions of this package.
var lineBreaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// Lines splits the text as the parser counts lines, without their ends.
func Lines(data []byte) []string { return lineBreaks.Split(string(data), -1) }

// Line returns the numbered line of the text without its end, "" where there is none.
func Line(data []byte, number int) string {
	lines := lineBreaks.Split(string(data), number+1)
	if number < 1 || number > len(lines) {
		return ""
	}
	return lines[number-1]
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

type draft sluice.Diagnostic

func finding(pos sluice.Position, code, format string, args ...any) *draft {
	return &draft{Pos: pos, Severity: sluice.SeverityError, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (d *draft) hint(format string, args ...any) *sluice.Diagnostic {
	d.Hint = fmt.Sprintf(format, args...)
	return (*sluice.Diagnostic)(d)
}
