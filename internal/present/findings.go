package present

import (
	"io"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/regular"
)

// maxExcerpt limits how much of a file is read to show the line of a finding.
const maxExcerpt = 8 << 20

// Findings prints each finding with the line it is about.
func Findings(w io.Writer, ds sluice.Diagnostics) {
	for _, d := range ds {
		Printf(w, "%s\n", d)
		if d.Pos.IsValid() {
			Excerpt(w, d.Pos)
		}
		if d.Hint != "" {
			Printf(w, "  hint: %s\n", d.Hint)
		}
	}
}

// Excerpt prints the line of a file that pos is about. It prints nothing if the file cannot be read.
func Excerpt(w io.Writer, pos sluice.Position) {
	data, err := regular.File(pos.File, maxExcerpt)
	if err != nil {
		return // the finding is clear without it
	}
	for line := range strings.Lines(deployfile.Excerpt(data, pos)) {
		Printf(w, "    %s\n", strings.TrimRight(line, "\n"))
	}
}

// Tally counts the findings in a sentence.
func Tally(ds sluice.Diagnostics) string {
	faults, warnings := 0, 0
	for _, d := range ds {
		if d.Severity == sluice.SeverityError {
			faults++
			continue
		}
		warnings++
	}
	text := Plural(faults, "error")
	if warnings > 0 {
		text += " and " + Plural(warnings, "warning")
	}
	return text + " found; nothing was changed"
}
