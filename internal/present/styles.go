package present

import (
	"io"

	"github.com/charmbracelet/lipgloss"

	"github.com/sluice-cd/sluice"
)

// Styles are colours on a terminal that supports them, and nothing elsewhere.
type Styles struct {
	Good, Bad, Busy, Faint, strong lipgloss.Style
}

// NewStyles returns the styles for an output.
func NewStyles(out io.Writer) Styles {
	r := lipgloss.NewRenderer(out)
	colour := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	return Styles{
		Good: colour("2"), Bad: colour("1"), Busy: colour("6"),
		Faint: r.NewStyle().Faint(true), strong: r.NewStyle().Bold(true),
	}
}

// status writes a status in the colour of its meaning.
func (s Styles) status(status sluice.Status) string {
	switch status {
	case sluice.StatusSucceeded:
		return s.Good.Render(string(status))
	case sluice.StatusFailed, sluice.StatusRolledBack, sluice.StatusCancelled, sluice.StatusRollingBack:
		return s.Bad.Render(string(status))
	case sluice.StatusPending, sluice.StatusSkipped:
		return s.Faint.Render(string(status))
	}
	return s.Busy.Render(string(status))
}
