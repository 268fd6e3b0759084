package manifest

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"unicode/utf8"

	"github.com/sluice-cd/sluice"
)

// chartFile makes its directory a Helm chart.
const chartFile = "Chart.yaml"

const renderChart = "render it first, and name the result as the path: helm template NAME CHART > rendered.yaml"

// helmSyntax is what only templates of Helm have.
var helmSyntax = regexp.MustCompile(
	`\{\{[^{}\n]*(?:\.(?:Values|Release|Chart|Capabilities)\b|\b(?:include|template) ")`)

// helmTemplate returns the finding for a text that Helm must render, nil if it is none. A text that can be read is a
// template only if one of its mistakes is in the line of an action: other programs have such actions in their files.
func helmTemplate(file string, data []byte, unread bool, found sluice.Diagnostics) *sluice.Diagnostic {
	wrong := map[int]bool{}
	for _, d := range found {
		wrong[d.Pos.Line] = wrong[d.Pos.Line] || d.Severity == sluice.SeverityError
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if !unread && !wrong[number] {
			continue
		}
		if at := helmSyntax.FindIndex(line); at != nil {
			pos := sluice.Position{File: file, Line: number, Column: utf8.RuneCount(line[:at[0]]) + 1}
			return &sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: codeHelm, Hint: renderChart,
				Message: "this is a template of Helm"}
		}
	}
	return nil
}

// isChart reports whether the directory is a Helm chart, and says that it must be rendered.
func (l *loader) isChart(dir string) bool {
	if _, err := fs.Stat(l.root.FS(), path.Join(dir, chartFile)); err != nil {
		return false
	}
	l.report(codeHelm, renderChart, "%s is a Helm chart", dir)
	return true
}
