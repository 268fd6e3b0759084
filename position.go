package sluice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Position is a place in one of the user's files. Lines and columns count from 1; columns count
// characters. The zero Position is not a place.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// IsValid reports whether p is a place.
func (p Position) IsValid() bool { return p.Line > 0 }

// String returns "file:line:column".
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// A Severity distinguishes errors, which stop everything, from warnings, which are only shown.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// A Diagnostic is one finding in a user's file. Its Code never changes its meaning; docs/diagnostics.md explains it.
type Diagnostic struct {
	Pos      Position `json:"position"`
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`           // such as "unknown-key"
	Message  string   `json:"message"`        // what was found
	Hint     string   `json:"hint,omitempty"` // what to write instead
}

// String returns "file:line:column: error: message [code]", without a place if it has none.
func (d Diagnostic) String() string {
	text := fmt.Sprintf("%s: %s [%s]", d.Severity, d.Message, d.Code)
	if !d.Pos.IsValid() {
		return text
	}
	return d.Pos.String() + ": " + text
}

// Diagnostics are findings in files. As an error they print one finding a line.
type Diagnostics []Diagnostic

// Error lists every finding.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// InOrder returns each finding once: those without a place, those in the first file, and those in the other files by
// their names; in each file in the order of their places. It leaves ds as it is.
func (ds Diagnostics) InOrder(first string) Diagnostics {
	seen := map[Diagnostic]bool{}
	var sorted Diagnostics
	for _, d := range ds {
		if !seen[d] {
			seen[d] = true
			sorted = append(sorted, d)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		return cmp.Or(rank(a.Pos, first)-rank(b.Pos, first), cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	return sorted
}

func rank(p Position, first string) int {
	switch {
	case !p.IsValid():
		return 0
	case p.File == first:
		return 1
	}
	return 2
}

// HasErrors reports whether any finding is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == SeverityError })
}
