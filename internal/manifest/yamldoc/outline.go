package yamldoc

import (
	"regexp"
	"strings"
)

// An outline is the indentation of the maps and lists around a line.
type outline struct {
	levels   []level // from the outermost on
	opened   bool    // the last line ends with a key or a dash without a value
	openText bool    // the last line ends with plain text, which the next one may continue
}

// A level is a map, or a list, whose keys or dashes begin at a column.
type level struct {
	column int
	dash   bool
	key    string // the last one
}

// continues reports whether a line with that indent is a part of the value above it.
func (o *outline) continues(column int) bool {
	n := len(o.levels)
	return n > 0 && o.openText && !o.opened && column > o.levels[n-1].column
}

var (
	plainKey  = regexp.MustCompile(`^("x*"|'x*'|[^\s\[\]{},#&*!|>'"%@` + "`" + `][^#]*?)\s*:(?:\s|$)`)
	blockText = regexp.MustCompile(`(?:^|[:\-?]|[!&]\S*)\s+[|>][-+0-9]*\s*$`)
)

// arrange checks the indentation of the line against the lines above it, and the shape of what is on it.
func (s *scanner) arrange() {
	rest := strings.TrimRight(string(s.plain), " \t\r")
	if strings.HasPrefix(rest, "---") {
		s.outline = outline{}
	}
	column := indent(rest)
	if rest = rest[column:]; rest == "" || strings.HasPrefix(rest, "---") || rest == "..." {
		return
	}
	if s.continues(column) && !plainKey.MatchString(strings.TrimLeft(rest, "- ")) {
		return
	}
	first := true
	for (rest == "-" || strings.HasPrefix(rest, "- ")) && s.found == nil {
		s.enterLevel(level{column: column, dash: true}, first)
		after := strings.TrimLeft(rest[1:], " ")
		column, rest, first = column+len(rest)-len(after), after, false
		s.opened, s.openText = true, false
	}
	if rest != "" && s.found == nil {
		s.keyOrText(column, rest, first)
	}
}

// keyOrText looks at what follows the dashes of a line.
func (s *scanner) keyOrText(column int, rest string, first bool) {
	m := plainKey.FindStringSubmatch(rest)
	if m == nil {
		s.loneText(column, rest, first)
		return
	}
	l := level{column: column, key: s.text[column : column+len(m[1])]}
	if s.enterLevel(l, first); s.found == nil {
		s.valueOf(l, rest[len(m[0]):])
	}
}

// enterLevel places a key or a dash. The first one of a line must belong to what is around the line.
func (s *scanner) enterLevel(l level, first bool) {
	n := len(s.levels)
	for n > 0 && s.levels[n-1].column > l.column {
		n--
	}
	deeper := n == len(s.levels)
	if n > 0 && s.levels[n-1].column == l.column {
		top := &s.levels[n-1]
		switch {
		case top.dash == l.dash:
			s.levels, top.key = s.levels[:n], l.key
			return
		case l.dash && deeper && s.opened:
			s.levels = append(s.levels, l)
			return
		case !l.dash && n > 1 && s.levels[n-2].column == l.column:
			s.levels = s.levels[:n-1]
			s.levels[n-2].key = l.key
			return
		}
		s.misplaced(l, *top)
		return
	}
	if n == 0 && len(s.levels) == 0 || deeper && s.opened {
		s.levels = append(s.levels, l)
		return
	}
	s.drifted(l, deeper)
}

// misplaced reports a key where dashes stand, or the other way round.
func (s *scanner) misplaced(l, top level) {
	if l.dash {
		s.fault(l.column, CodeSyntax, "indent the list below its key, or remove the dash",
			"a list entry begins where the keys around it begin")
		return
	}
	s.fault(l.column, CodeMissingDash, "put a dash before it: - "+Clip(l.key)+":", "a new entry begins here")
}

// drifted reports an indent that fits nothing around the line.
func (s *scanner) drifted(l level, deeper bool) {
	what := "this entry"
	if !l.dash {
		what = Clip(l.key)
	}
	near := s.nearest(l)
	switch top := s.levels[len(s.levels)-1]; {
	case near.column == 0:
		s.fault(l.column, CodeDrifted, "remove "+spaces(l.column)+" before it",
			"%s is not indented like the keys above it", what)
	case s.textAt > 0:
		s.belowText(l.column)
	case deeper && near == top && !l.dash:
		s.fault(l.column, CodeSyntax, "indent it by "+many(near.column, "space"), "%s is indented by %s, but %s by %d",
			what, many(l.column, "space"), Clip(near.key), near.column)
	default:
		s.fault(l.column, CodeSyntax, "indent it by "+many(near.column, "space"),
			"%s is indented by %s, which fits nothing above it", what, many(l.column, "space"))
	}
}

// nearest returns the level of the same kind whose column is the nearest.
func (s *scanner) nearest(l level) level {
	near := s.levels[0]
	for _, other := range s.levels {
		if other.dash == l.dash && abs(other.column-l.column) < abs(near.column-l.column) {
			near = other
		}
	}
	return near
}

func abs(n int) int { return max(n, -n) }

func spaces(n int) string {
	if n == 1 {
		return "the space"
	}
	return "the " + many(n, "space")
}

// valueOf looks at what follows a key.
func (s *scanner) valueOf(l level, value string) {
	value = strings.TrimSpace(value)
	s.opened, s.openText = value == "", false
	if blockText.MatchString(": " + value) {
		s.block, s.textAt = l.column, 0
		return
	}
	if value == "" {
		return
	}
	if strings.ContainsAny(value[:1], `"'[{&!*|>`) {
		s.opened = (value[0] == '&' || value[0] == '!') && !strings.Contains(value, " ")
		return
	}
	s.openText = true
	if m := secondColon.FindStringIndex(value); m != nil {
		s.fault(strings.LastIndex(string(s.plain), value)+m[0], CodeSyntax,
			"put it in quotes: "+quoted(Clip(value))+"; a second key needs a line of its own",
			"the value of %s contains a colon and a space, so YAML reads it as another key", Clip(l.key))
	}
}

var (
	secondColon = regexp.MustCompile(`:(?:\s|$)`)
	wordFirst   = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*)\s*(?:=\s*)?(.*)$`)
	gluedKey    = regexp.MustCompile(`^([A-Za-z]+):([^/\s].*)$`)
)

// loneText looks at a line, or the rest after its dashes, that is neither a key nor a dash.
func (s *scanner) loneText(column int, rest string, first bool) {
	n := len(s.levels)
	if n > 0 && blockText.MatchString("- "+rest) {
		s.block, s.textAt = s.levels[n-1].column, 0
		return
	}
	s.opened, s.openText = false, !strings.ContainsAny(rest[:1], `"'[{`)
	if !first || n == 0 || s.levels[n-1].dash || column > s.levels[n-1].column || !s.openText {
		return
	}
	if m := gluedKey.FindStringSubmatch(rest); m != nil {
		colon := column + len(m[1]) + 1
		s.fault(colon, CodeMissingSpace, "write "+m[1]+": "+Clip(m[2]), noSpace, m[1])
		s.found.meant = s.text[:colon] + " " + s.text[colon:]
		return
	}
	if m := wordFirst.FindStringSubmatch(rest); m != nil {
		s.fault(column, CodeSyntax, "write "+m[1]+": "+Clip(m[2]), "this line has no colon, so %s is not a key", Clip(m[1]))
	}
}
