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

// helmTemplate returns the finding for a text that Helm must render, nil if it is none.
func helmTemplate(file string, data []byte) *sluice.Diagnostic {
	at := helmSyntax.FindIndex(data)
	if at == nil {
		return nil
	}
	before := data[:at[0]]
	start := bytes.LastIndexByte(before, '\n') + 1
	pos := sluice.Position{File: file, Line: bytes.Count(before, []byte("\n")) + 1,
		Column: utf8.RuneCount(before[start:]) + 1}
	return &sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: codeHelm, Hint: renderChart,
		Message: "this is a template of Helm"}
}

// isChart reports whether the directory is a Helm chart, and says that it must be rendered.
func (l *loader) isChart(dir string) bool {
	if _, err := fs.Stat(l.root.FS(), path.Join(dir, chartFile)); err != nil {
		return false
	}
	l.report(codeHelm, renderChart, "%s is a Helm chart", dir)
	return true
}
