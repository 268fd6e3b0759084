package present

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"
)

// Styled is text that may hold the sequences of a style. Only a [Style] makes it, from text that it escapes.
type Styled string

// A Style gives text a colour or a weight on a terminal that supports it, and nothing elsewhere.
type Style struct{ style lipgloss.Style }

// Render escapes the text and gives it the style.
func (s Style) Render(text string) Styled { return Styled(s.style.Render(oneLine(text))) }

// Printf writes to w like [fmt.Fprintf] in a single call. It escapes every argument that is not [Styled], and indents
// the further lines of one with several, so that none of them looks like a line of Sluice.
func Printf(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, sprintf(format, args...))
	return err
}

func sprintf(format string, args ...any) string {
	shown := make([]any, len(args))
	for i, arg := range args {
		shown[i] = arg
		if _, ours := arg.(Styled); !ours && !isNumber(arg) {
			shown[i] = strings.ReplaceAll(Escape(fmt.Sprint(arg)), "\n", "\n    ")
		}
	}
	return fmt.Sprintf(format, shown...)
}

func isNumber(v any) bool {
	if _, named := v.(fmt.Stringer); named {
		return false
	}
	kind := reflect.ValueOf(v).Kind()
	return kind >= reflect.Bool && kind <= reflect.Float64
}

// Escape returns the text with everything that a terminal acts on, that changes the order of what is read, or that
// nobody sees, as Go writes it in quotes. Line breaks and tabs stay.
func Escape(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var b strings.Builder
	b.Grow(len(text))
	for rest := text; rest != ""; {
		n := asIs(rest)
		b.WriteString(rest[:n])
		if rest = rest[n:]; rest == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		case isSeen(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		rest = rest[size:]
	}
	return b.String()
}

// asIs returns how many bytes at the beginning are ASCII that stays as it is: nearly all of a page.
func asIs(text string) int {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return i
		}
	}
	return len(text)
}

// isSeen reports whether the character shows something, and does nothing else.
func isSeen(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// oneLine returns the text on one line, escaped.
func oneLine(text string) string {
	lines := strings.FieldsFunc(Escape(text), func(r rune) bool { return r == '\n' })
	return strings.ReplaceAll(strings.Join(lines, "; "), "\t", " ")
}

// Escaped returns a writer to w of texts without a style. Each write must hold whole characters.
func Escaped(w io.Writer) io.Writer { return escaping{w} }

type escaping struct{ to io.Writer }

func (e escaping) Write(text []byte) (int, error) {
	if _, err := io.WriteString(e.to, Escape(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
