package present

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/dustin/go-humanize"

	"github.com/sluice-cd/sluice"
)

// Plural writes a number and its noun: 1 step, 2 steps.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", humanize.Comma(int64(n)), noun)
}

// Took writes how long something took: 0.4s, 12.3s, 3m05s, 2h10m.
func Took(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}

// Quantity writes a number of units: bytes as KiB or MiB, everything else in full.
func Quantity(n int64, unit string) string {
	if unit == "bytes" {
		return humanize.IBytes(uint64(max(n, 0)))
	}
	return humanize.Comma(n)
}

// Amount writes how much of a piece of work is done.
func Amount(a sluice.Amount) string {
	unit := " " + a.Unit
	if a.Unit == "bytes" {
		unit = ""
	}
	if a.Total <= 0 {
		return Quantity(a.Done, a.Unit) + unit
	}
	return fmt.Sprintf("%s of %s%s (%d %%)", Quantity(a.Done, a.Unit), Quantity(a.Total, a.Unit), unit, 100*a.Done/a.Total)
}

// Moment writes an instant in local time, - for none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// Table prints rows in columns; the first row is the header.
func Table(w io.Writer, rows [][]string) error {
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneLine(cell)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := w.Write(text.Bytes())
	return err
}

// Styles are colours on a terminal that supports them, and nothing elsewhere.
type Styles struct {
	Good, Bad, Busy, Faint, strong Style
}

// NewStyles returns the styles for an output.
func NewStyles(out io.Writer) Styles { return stylesOf(lipgloss.NewRenderer(out)) }

func stylesOf(r *lipgloss.Renderer) Styles {
	colour := func(c string) Style { return Style{r.NewStyle().Foreground(lipgloss.Color(c))} }
	return Styles{
		Good: colour("2"), Bad: colour("1"), Busy: colour("6"),
		Faint: Style{r.NewStyle().Faint(true)}, strong: Style{r.NewStyle().Bold(true)},
	}
}

// of returns the style of a status.
func (s Styles) of(status sluice.Status) Style {
	switch status {
	case sluice.StatusSucceeded:
		return s.Good
	case sluice.StatusFailed, sluice.StatusRolledBack, sluice.StatusCancelled, sluice.StatusRollingBack:
		return s.Bad
	case sluice.StatusQueued, sluice.StatusPending, sluice.StatusOvertaken, sluice.StatusSkipped:
		return s.Faint
	}
	return s.Busy
}

func (s Styles) status(status sluice.Status) Styled { return s.of(status).Render(string(status)) }
