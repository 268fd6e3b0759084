package sluice

import (
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

// String returns "file:line:column: error: message [code]".
func (d Diagnostic) String() string {
	return fmt.Sprintf("%s: %s: %s [%s]", d.Pos, d.Severity, d.Message, d.Code)
}

// Diagnostics are the findings in one file, in its order. As an error they print one finding a line.
type Diagnostics []Diagnostic

// Error lists every finding.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// HasErrors reports whether any finding is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == SeverityError })
}
