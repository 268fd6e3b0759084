package template

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// URL is an address. A value at its beginning may be a whole address. In a path a value may hold slashes, and in a
// query whole pairs if it does not follow a = sign. Everything else is percent-encoded.
var URL = Format{write: func(t Template) func(int, string) (string, error) {
	return unless(t, func(i int, value string) (string, error) {
		before, after := t.around(i)
		before = strings.TrimSpace(before)
		switch placeOf(before, after) {
		case inParameter, inUser:
			return percent(value), nil
		case inPath:
			if slices.Contains(strings.Split(value, "/"), "..") {
				return "", misplaced(t.tags[i], "leads out of the path with ..")
			}
			return strings.ReplaceAll(url.PathEscape(value), "%2F", "/"), nil
		case inHost:
			if after != "" && strings.ContainsAny(value, `/\?#@`) {
				return "", misplaced(t.tags[i], "is not only a host")
			}
		}
		return value, nil
	})
}}

func misplaced(g Tag, why string) error {
	return sluice.Errorf(sluice.Invalid, "the value of {{%s}} in the URL %s", g.Name, why).
		WithHint("correct the value, or write {{%s | raw}} if it is meant", g.Name)
}

// A place is a part of an address.
type place int

const (
	anywhere place = iota // where a value may hold any part
	inUser
	inHost
	inPath
	inParameter
)

func placeOf(before, after string) place {
	beforeQuery, query, isQuery := strings.Cut(before, "?")
	_, rest, hasScheme := strings.Cut(beforeQuery, "://")
	authority, _, _ := strings.Cut(after, "/")
	switch {
	case strings.Contains(before, "#"):
		return anywhere
	case isQuery && isParameter(query):
		return inParameter
	case isQuery:
		return anywhere
	case hasScheme && !strings.Contains(rest, "/") && strings.Contains(authority, "@"):
		return inUser
	case hasScheme && !strings.Contains(rest, "/"):
		return inHost
	case strings.Contains(beforeQuery, "/"):
		return inPath
	}
	return anywhere
}
