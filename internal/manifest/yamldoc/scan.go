package yamldoc

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"
)

// A scanner goes through the lines of a text that the parser refused, until it meets a line that explains why. It knows
// quotes, brackets, comments, block texts and indentation, and nothing else of YAML.
type scanner struct {
	number int
	text   string // the line
	plain  []byte // the line without comments and with the content of quotes blanked

	start bool // what comes next begins a value
	after byte // the last character that is not a space, in brackets: an element may have ended
	quote byte // the open quote
	at    place
	open  []bracket

	block  int // the indent of the key whose block text is being read, -1 outside
	textAt int // the indent of that text, 0 if it has no line yet

	outline
	found *fault
}

// A bracket is open.
type bracket struct {
	place
	close byte
	colon bool // the current entry has had its colon
}

// scan returns the first mistake that it can name, nil if there is none.
func scan(lines []string) *fault {
	s := &scanner{block: -1}
	for i, line := range lines {
		s.number, s.text = i+1, strings.TrimPrefix(line, "\ufeff")
		if len(line) > longestLine {
			return nil
		}
		if s.line(); s.found != nil {
			return s.found
		}
	}
	return s.unclosed()
}

func (s *scanner) here(i int) place { return place{s.number, s.text, i} }

// fault notes a mistake in the line, unless one is known already.
func (s *scanner) fault(i int, code, hint, format string, args ...any) {
	if s.found == nil {
		s.found = faultAt(s.here(i), code, hint, format, args...)
	}
}

func (s *scanner) unclosed() *fault {
	if s.quote != 0 {
		return faultAt(s.at, CodeSyntax, closeIt, "the quote %c that begins here is never closed", s.quote)
	}
	if n := len(s.open); n > 0 {
		return s.neverClosed(s.open[n-1])
	}
	return nil
}

func (s *scanner) neverClosed(b bracket) *fault {
	return faultAt(b.place, CodeSyntax, "close it with "+string(b.close), "the %c that begins here is never closed",
		b.text[b.byte])
}

func (s *scanner) line() {
	inside := s.quote != 0 || len(s.open) > 0
	if !inside && s.skipBlock() {
		return
	}
	if !inside {
		s.start, s.after = !s.continues(indent(s.text)), 0
		if s.wholeLine(); s.found != nil {
			return
		}
	}
	s.outsideBrackets()
	s.characters()
	if s.found == nil && !inside {
		s.arrange()
	}
	if s.block < 0 {
		s.textAt = 0
	}
}

// skipBlock reports whether the line belongs to a block text.
func (s *scanner) skipBlock() bool {
	if s.block < 0 {
		return false
	}
	column := indent(s.text)
	if strings.TrimSpace(s.text) == "" {
		return true
	}
	if column > s.block && column >= s.textAt {
		s.textAt = cmp.Or(s.textAt, column)
		return true
	}
	if c := strings.TrimSpace(s.text)[0]; s.textAt == 0 && (c == '{' || c == '[' || c == '<') {
		s.fault(column, CodeSyntax, "indent it by more than the line above that ends with | or >",
			"the text is not indented further than its key")
	}
	if column > s.block && s.text[column] != '#' {
		s.belowText(column)
	}
	s.block = -1
	return false
}

func (s *scanner) belowText(column int) {
	s.fault(column, CodeSyntax, "indent it by at least "+many(s.textAt, "space"),
		"the line is indented less than the text above it")
}

var (
	conflict   = regexp.MustCompile(`^(<{7}|={7}|>{7})( |$)`)
	helmLine   = regexp.MustCompile(`^\s*\{\{(-|\s*(\.|\$|/\*|(if|else|end|range|with|include|define|template|block)\b))`)
	oddDash    = regexp.MustCompile(`^\s*([–—•])\s`)
	gluedDash  = regexp.MustCompile(`^\s*(?:- +)*-([A-Za-z]+):(?:\s|$)`)
	gluedValue = regexp.MustCompile(`^\s*(?:- +)*([A-Za-z]+):(['"\[{])`)
	oddSpace   = regexp.MustCompile("^\\s*[\u00a0\u2000-\u200b\u3000\ufeff]")
)

// wholeLine finds what a look at the line tells.
func (s *scanner) wholeLine() {
	tab := strings.IndexByte(s.text, '\t')
	switch {
	case conflict.MatchString(s.text):
		s.fault(0, CodeSyntax, "resolve the conflict and remove the markers", "this is a conflict marker of git")
	case tab >= 0 && strings.Trim(s.text[:tab], " -") == "" && s.start:
		s.fault(tab, CodeSyntax, "indent with spaces", "the line is indented with a tab")
	case s.start && helmLine.MatchString(s.text):
		s.fault(indent(s.text), CodeHelmTemplate, renderFirst, isHelm)
	case oddDash.MatchString(s.text):
		m := oddDash.FindStringSubmatchIndex(s.text)
		s.fault(m[2], CodeSyntax, "write - instead", "a list entry begins with -, not with %s", s.text[m[2]:m[3]])
	case oddSpace.MatchString(s.text):
		at := indent(s.text)
		s.fault(at, CodeSyntax, "replace it with plain spaces", "the line is indented with the character %s",
			Clip(s.text[at:at+width(s.text[at:])]))
	default:
		s.glued()
	}
}

// glued finds a missing space, and adds it.
func (s *scanner) glued() {
	if m := gluedDash.FindStringSubmatchIndex(s.text); m != nil {
		s.fault(m[2], CodeMissingSpace, "write - "+s.text[m[2]:m[3]]+":", "a space is missing after the dash")
		s.found.meant = s.text[:m[2]] + " " + s.text[m[2]:]
		return
	}
	if m := gluedValue.FindStringSubmatchIndex(s.text); m != nil {
		key := s.text[m[2]:m[3]]
		s.fault(m[4], CodeMissingSpace, "write "+key+": "+Clip(s.text[m[4]:]), noSpace, key)
		s.found.meant = s.text[:m[4]] + " " + s.text[m[4]:]
	}
}

var keyLine = regexp.MustCompile(`^\s*(?:- +)*[A-Za-z][\w-]*:(\s|$)`)

// outsideBrackets finds a bracket that must have been closed before this line, which is a key outside of it.
func (s *scanner) outsideBrackets() {
	if len(s.open) == 0 || s.quote != 0 || !keyLine.MatchString(s.text) {
		return
	}
	for _, b := range s.open {
		if keyLine.MatchString(b.text[:b.byte]) && indent(s.text) <= indent(b.text) {
			s.found = s.neverClosed(b)
			return
		}
	}
}

// characters goes through the line and blanks what is quoted.
func (s *scanner) characters() {
	s.plain = []byte(s.text)
	for i := 0; i < len(s.text) && s.found == nil; i++ {
		c := s.text[i]
		switch {
		case s.quote != 0:
			i = s.inQuote(i)
			continue
		case c == '#' && (i == 0 || s.text[i-1] == ' ' || s.text[i-1] == '\t'):
			s.plain = s.plain[:i]
			return
		case c == ' ' || c == '\t' || c == '\r':
			continue
		case s.start:
			i = s.value(i)
		default:
			s.inside(i)
		}
		s.after = c
	}
}

var escape = regexp.MustCompile(`^\\(?:[0abt\tnvfre "/\\N_LP]|x[[:xdigit:]]{2}|u[[:xdigit:]]{4}|U[[:xdigit:]]{8})`)

func (s *scanner) inQuote(i int) int {
	c := s.text[i]
	if c == '\\' && s.quote == '"' {
		if i+1 < len(s.text) && !escape.MatchString(s.text[i:]) {
			s.fault(i, CodeSyntax, `write \\ for one \, or put the text in single quotes`,
				`\%s means nothing inside "…"`, Clip(s.text[i+1:i+1+width(s.text[i+1:])]))
		}
		s.blank(i, i+2)
		return i + 1
	}
	if c != s.quote {
		s.blank(i, i+1)
		return i
	}
	if c == '\'' && strings.HasPrefix(s.text[i+1:], "'") {
		s.blank(i, i+2)
		return i + 1
	}
	s.closeQuote(i)
	return i
}

func (s *scanner) blank(from, to int) {
	for i := from; i < min(to, len(s.plain)); i++ {
		s.plain[i] = 'x'
	}
}

// closeQuote ends the quoted text, after which only a separator may come.
func (s *scanner) closeQuote(i int) {
	s.quote, s.after = 0, '"'
	rest := strings.TrimLeft(s.text[i+1:], " \t")
	if rest == "" || strings.ContainsAny(rest[:1], ",]}:#") || len(s.open) > 0 && rest != s.text[i+1:] {
		return
	}
	if s.at.line < s.number {
		s.found = faultAt(s.at, CodeSyntax, closeIt,
			"the quote %c that begins here is not closed before line %d", s.text[i], s.number)
		return
	}
	s.fault(i, CodeInnerQuote,
		"write a ' inside '…' twice, a \" inside \"…\" as \\\", or put the text below the key: inline: >-",
		"this quote ends the text, but more text follows")
}

// value reads the first character of a value and returns the index of the last one that it read.
func (s *scanner) value(i int) int {
	s.start = false
	rest := s.text[i:]
	switch c := s.text[i]; {
	case c == '"' || c == '\'':
		s.quote, s.at = c, s.here(i)
	case strings.HasPrefix(rest, "{{"):
		return s.template(i)
	case c == '[' || c == '{':
		s.enter(i)
	case (c == '-' || c == '?') && (len(rest) == 1 || rest[1] == ' '):
		s.start = true
	case c == '&' || c == '!':
		return s.property(i)
	default:
		s.first(i)
		s.inside(i)
	}
	return i
}

func (s *scanner) enter(i int) {
	closing := map[byte]byte{'[': ']', '{': '}'}[s.text[i]]
	s.open = append(s.open, bracket{place: s.here(i), close: closing})
	s.start = true
}

// property skips a tag or an anchor, which comes before its value.
func (s *scanner) property(i int) int {
	end := i
	for end < len(s.text) && !strings.ContainsRune(" \t,]}", rune(s.text[end])) {
		end++
	}
	if end == i+1 && s.text[i] == '&' {
		s.unquoted(i, CodeSyntax, "YAML reads & as the mark of a value that is used again")
	}
	s.start = true
	return end - 1
}

var (
	alias      = regexp.MustCompile(`^\*[^\s,\[\]{}*]+\s*(?:[,\]}]|:\s|$)`)
	blockStart = regexp.MustCompile(`^[|>][-+0-9]*(?:\s+#.*)?\s*$`)
)

// first refuses characters that cannot begin a plain value.
func (s *scanner) first(i int) {
	rest := s.text[i:]
	switch c := s.text[i]; c {
	case ']', '}':
		if len(s.open) == 0 {
			s.fault(i, CodeSyntax, "remove it", "this %c closes nothing", c)
		}
	case '%', '@', '`':
		s.unquoted(i, CodeSyntax, "YAML reserves %c, so a value cannot begin with it", c)
	case '*':
		if !alias.MatchString(rest) {
			s.unquoted(i, CodeSyntax, "YAML reads * as the name of a value that was marked with &")
		}
	case '|', '>':
		if len(s.open) == 0 && !blockStart.MatchString(rest) {
			s.unquoted(i, CodeSyntax, "YAML reads %c as the mark of a text on the lines below", c)
		}
	}
}

// unquoted reports a value that needs quotes, and adds them.
func (s *scanner) unquoted(i int, code, format string, args ...any) {
	if s.found != nil {
		return
	}
	value := withoutComment(s.text[i:])
	if len(s.open) > 0 {
		value = value[:end(value)]
	}
	s.fault(i, code, "put it in quotes: "+quoted(Clip(value)), format, args...)
	s.found.meant = s.text[:i] + inSingle(value) + s.text[i+len(value):]
}

// end returns where a value inside brackets ends.
func end(value string) int {
	from := max(0, strings.LastIndex(value, "}}"))
	if from > 0 {
		from += 2
	}
	if i := strings.IndexAny(value[from:], ",]}"); i >= 0 {
		return from + i
	}
	return len(value)
}

func withoutComment(value string) string {
	if i := strings.Index(value, " #"); i > 0 {
		value = value[:i]
	}
	return strings.TrimRight(value, " \t\r")
}

// template reads a value that begins with {{. In brackets YAML can read it, unless more text follows.
func (s *scanner) template(i int) int {
	if strings.HasPrefix(s.text[i:], "{{-") || strings.HasPrefix(strings.TrimLeft(s.text[i+2:], " "), ".") {
		s.fault(i, CodeHelmTemplate, renderFirst, isHelm)
		return i
	}
	last := strings.Index(s.text[i:], "}}")
	if last < 0 {
		s.enter(i)
		return i
	}
	last += i + 1
	rest := strings.TrimLeft(s.text[last+1:], " ")
	if len(s.open) == 0 || rest != "" && !strings.ContainsAny(rest[:1], ",]}") {
		s.unquoted(i, CodeUnquotedTemplate, bracesAreMaps)
	}
	return last
}

const (
	closeIt       = "close it where the text ends"
	noSpace       = "a space is missing after the colon of %s"
	bracesAreMaps = "YAML reads a value that begins with {{ as a map"
	isHelm        = "this is a template of Helm, which is not YAML before Helm renders it"
	renderFirst   = "render the chart first, as in: helm template . > rendered.yaml"
)

// inside reads a character that does not begin a value.
func (s *scanner) inside(i int) {
	c := s.text[i]
	ends := i+1 == len(s.text) || s.text[i+1] == ' ' || s.text[i+1] == '\t' || s.text[i+1] == '\r'
	if len(s.open) == 0 {
		s.start = c == ':' && ends
		return
	}
	switch {
	case c == ',':
		s.comma(i)
	case c == ':' && (ends || s.after == '"'):
		s.colon(i)
	case c == ']' || c == '}':
		s.leave(i)
	case (c == '"' || c == '\'') && strings.IndexByte("\"]}", s.after) >= 0:
		s.fault(i, CodeSyntax, "write a comma between two entries", "a comma is missing before this")
	}
}

// comma ends an entry.
func (s *scanner) comma(i int) {
	if s.after == ',' {
		s.fault(i, CodeSyntax, "remove one of the commas", "nothing is between two commas")
	}
	s.start, s.open[len(s.open)-1].colon = true, false
}

// colon ends a key, of which an entry has only one.
func (s *scanner) colon(i int) {
	entry := &s.open[len(s.open)-1]
	if entry.colon {
		s.fault(bytes.LastIndexAny(s.plain[:i], " \t,:[{")+1, CodeSyntax,
			"write a comma between two entries, or put a value with a colon in quotes", "a comma is missing before this key")
	}
	s.start, entry.colon = true, true
}

// leave closes the innermost bracket.
func (s *scanner) leave(i int) {
	b := s.open[len(s.open)-1]
	if s.text[i] != b.close {
		s.fault(i, CodeSyntax, "write "+string(b.close)+", or open it before", "the %c on line %d is closed by %c",
			b.text[b.byte], b.line, s.text[i])
		return
	}
	s.open = s.open[:len(s.open)-1]
	rest := strings.TrimSpace(s.text[i+1:])
	if len(s.open) > 0 || rest == "" || strings.ContainsAny(rest[:1], "#:") {
		return
	}
	at := i + 1 + indent(s.text[i+1:])
	if rest[0] == ']' || rest[0] == '}' {
		s.fault(at, CodeSyntax, "remove it", "this %c closes nothing", rest[0])
		return
	}
	s.fault(at, CodeSyntax, "put the whole value in quotes", "more text follows after the %c that ends the value",
		s.text[i])
}
