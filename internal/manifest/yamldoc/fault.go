package yamldoc

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-cd/sluice"
)

// A fault is a mistake that makes a text invalid YAML.
type fault struct {
	finding sluice.Diagnostic
	meant   string // the line as it was meant, "" if that is not clear
}

const longestLine = 4096 // bytes: people do not write longer lines

// explain looks for the mistake that made the parser give up. The parser often names the line at which a map or list
// begins, and describes what it expected instead of what is wrong.
func explain(file string, data []byte, err error) *fault {
	lines, message := Lines(data), strings.TrimPrefix(err.Error(), "yaml: ")
	f := scan(lines)
	if f == nil {
		f = odd(lines, message)
	}
	if f == nil {
		f = given(lines, message)
	}
	f.finding.Pos.File, f.finding.Severity = file, sluice.SeverityError
	return f
}

var unknownAnchor = regexp.MustCompile(`^unknown anchor '([^']*)' referenced`)

// odd finds what the parser complains about without its place.
func odd(lines []string, message string) *fault {
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		for i, line := range lines {
			if at := strings.Index(line, "*"+m[1]); at >= 0 {
				return faultAt(place{i + 1, line, at}, CodeSyntax, "mark a value with &"+Clip(m[1])+", or put the text in quotes",
					"no value is marked with &%s", Clip(m[1]))
			}
		}
	}
	if strings.Contains(message, "control characters are not allowed") {
		for i, line := range lines {
			if at := strings.IndexFunc(line, isControl); at >= 0 {
				return faultAt(place{i + 1, line, at}, CodeSyntax, "remove it, or write it as an escape in double quotes",
					"the line contains the control character %s", Clip(line[at:at+width(line[at:])]))
			}
		}
	}
	return nil
}

// isControl reports a character that YAML does not allow anywhere.
func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' || r == 0xFFFE || r == 0xFFFF }

func width(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

var lineInError = regexp.MustCompile(`^line (\d+): `)

// given repeats what the parser says.
func given(lines []string, message string) *fault {
	line := 1
	if m := lineInError.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	text := ""
	if line >= 1 && line <= len(lines) {
		text = lines[line-1]
	}
	return faultAt(place{line, text, indent(text)}, CodeSyntax,
		"check the indentation and the quotes here and on the line above", "this is not YAML: %s", Clip(message))
}

// A place is a byte of a numbered line.
type place struct {
	line int
	text string
	byte int
}

func (p place) position() sluice.Position {
	return sluice.Position{Line: p.line, Column: utf8.RuneCountInString(p.text[:p.byte]) + 1}
}

func faultAt(at place, code, hint, format string, args ...any) *fault {
	return &fault{finding: *finding(at.position(), code, hint, format, args...)}
}

// Clip shortens text of a file to what fits a message, and shows characters that would not be seen as escapes.
func Clip(s string) string {
	var b strings.Builder
	for _, r := range shortened(s) {
		b.WriteString(Visible(r))
	}
	return b.String()
}

// Quote is [Clip] in double quotes, as YAML and Go read them.
func Quote(s string) string { return strconv.Quote(shortened(s)) }

func shortened(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// Visible returns the character, or an escape for it if it would not be seen, or would change how the rest is seen.
func Visible(r rune) string {
	if unicode.IsPrint(r) {
		return string(r)
	}
	return strings.Trim(strconv.QuoteRune(r), "'")
}

// quoted returns the text as one YAML value.
func quoted(s string) string {
	if strings.ContainsAny(s, `"\`) {
		return inSingle(s)
	}
	return `"` + s + `"`
}

func inSingle(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func many(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
