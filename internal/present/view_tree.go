package present

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// tree draws the targets with all steps, with those that are not done, or only with those that run. While others run,
// targets that have succeeded are drawn without their steps.
func (m model) tree(detail int) []string {
	title, elapsed := m.styles.strong.Render(m.shot.title), m.elapsed(m.shot.started, m.shot.ended)
	head := []string{string(title), string(m.styles.status(m.shot.status)), elapsed}
	lines := hang(flow(head, "  ", m.columns()-2), 2)
	g := m.grid()
	for _, t := range m.shot.targets {
		lines = append(lines, m.target(t)...)
		for _, s := range t.steps {
			if m.shows(detail, t, s) {
				lines = append(lines, m.step(s, g)...)
			}
		}
	}
	return lines
}

func (m model) target(t targetRow) []string {
	mark := m.styles.of(t.status).Render(cmp.Or(targetMarks[t.status], "▶"))
	units := []string{sprintf("%s %-12s", mark, oneLine(t.name)), string(m.styles.status(t.status))}
	if t.note != "" && !isOver(t.status) {
		for i, word := range strings.Fields(oneLine(t.note)) {
			gap := strings.Repeat(" ", 1-min(i, 1))
			units = append(units, gap+string(m.styles.Faint.Render(word)))
		}
	}
	return hang(flow(units, " ", m.columns()-2), 2)
}

// columns is the width to draw for.
func (m model) columns() int { return max(m.width, 20) }

// A grid has the widths of what stands in the line of a step: its mark, its label, how long it took, and its text. On a
// narrow terminal the text is 0 wide and stands below.
type grid struct{ indent, label, elapsed, text int }

// narrow is the width of the terminal below which the text of a step stands below its label.
const narrow = 60

func (m model) grid() grid {
	if m.columns() < narrow {
		return grid{indent: 1, label: m.columns() - 3}
	}
	g := grid{indent: 4, elapsed: 10}
	for _, t := range m.shot.targets {
		for _, s := range t.steps {
			g.label = max(g.label, ansi.StringWidth(strings.Join(m.label(s), " ")))
		}
	}
	room := m.columns() - g.indent - 2 - g.elapsed
	g.label = min(g.label, room/2)
	g.text = room - g.label
	return g
}

func (m model) step(s stepLine, g grid) []string {
	if g.text == 0 {
		return m.narrowStep(s, g)
	}
	label, text := flow(m.label(s), " ", g.label), m.text(s, g.text)
	lines := make([]string, max(len(label), len(text)))
	for i := range lines {
		left, right := at(label, i), at(text, i)
		mark, took := Styled(" "), ""
		if i == 0 {
			mark, took = m.stepMark(s), m.took(s)
		}
		pad := strings.Repeat(" ", max(0, g.label-ansi.StringWidth(left)))
		lines[i] = strings.TrimRight(sprintf("%*s%s %s%s%*s  %s", g.indent, "", mark, Styled(left), pad, g.elapsed-2, took,
			Styled(right)), " ")
	}
	return append(lines, m.hints(s, g.indent+2+g.label+g.elapsed)...)
}

func (m model) narrowStep(s stepLine, g grid) []string {
	label := m.label(s)
	if took := m.took(s); took != "" {
		label = append(label, " "+took)
	}
	lines := hang(flow(label, " ", g.label), g.indent+2)
	lines[0] = sprintf("%*s%s %s", g.indent, "", m.stepMark(s), Styled(strings.TrimLeft(lines[0], " ")))
	for _, l := range m.text(s, g.label) {
		lines = append(lines, strings.Repeat(" ", g.indent+2)+l)
	}
	return append(lines, m.hints(s, g.indent+2)...)
}

// at returns the line of that number, "" if there are fewer.
func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// label says what the step is, and names its id.
func (m model) label(s stepLine) []string {
	var words []string
	for _, word := range strings.Fields(oneLine(s.title)) {
		words = append(words, string(m.shade(s, word)))
	}
	if s.path != s.title {
		words = append(words, " "+string(m.styles.Faint.Render(s.path)))
	}
	return words
}

// took is how long the step has run.
func (m model) took(s stepLine) string {
	if s.started.IsZero() {
		return ""
	}
	return m.elapsed(s.started, s.ended)
}

// text says how the step stands.
func (m model) text(s stepLine, width int) []string {
	text := s.text
	if s.amount != nil {
		text = strings.Join(filled(text, Amount(*s.amount), speed(*s.amount, s.since, m.now)), ", ")
	}
	var lines []string
	for i, part := range strings.Split(Escape(text), "\n") {
		indent := 2 * min(i, 1) // what a pod said stands below
		for _, line := range flow(strings.Fields(part), " ", width-indent) {
			if line != "" {
				lines = append(lines, strings.Repeat(" ", indent)+string(m.shade(s, line)))
			}
		}
	}
	return lines
}

// hints says what to type, below the text that begins at the column, or further left if they have room there.
func (m model) hints(s stepLine, column int) []string {
	indent := column
	for _, hint := range s.hints {
		indent = max(3, min(indent, m.columns()-ansi.StringWidth(hint)))
	}
	var lines []string
	for _, hint := range s.hints {
		for _, line := range flow(strings.Fields(oneLine(hint)), " ", m.columns()-indent) {
			lines = append(lines, strings.Repeat(" ", indent)+string(m.styles.strong.Render(line)))
		}
	}
	return lines
}

func (m model) shows(detail int, t targetRow, s stepLine) bool {
	isDone := slices.Contains([]engine.RunPhase{
		engine.PhaseDone, engine.PhaseSkipped, engine.PhaseFinished, engine.PhaseUndone,
	}, s.phase)
	switch {
	case s.failed:
		return true
	case t.status == sluice.StatusFailed || t.status == sluice.StatusRolledBack:
	case t.status == sluice.StatusPending || isOver(t.status) && !isOver(m.shot.status):
		return false
	}
	return detail == 2 || !isDone && (detail == 1 || s.phase != engine.PhasePending)
}

func (m model) shade(s stepLine, text string) Styled {
	switch s.phase {
	case engine.PhasePending, engine.PhaseSkipped, engine.PhaseFinished, engine.PhaseDone:
		return m.styles.Faint.Render(text)
	}
	return Styled(oneLine(text))
}

func (m model) stepMark(s stepLine) Styled {
	st := m.styles
	if s.skipped {
		return st.Faint.Render("»")
	}
	switch s.phase {
	case engine.PhasePending:
		return st.Faint.Render("·")
	case engine.PhaseDone, engine.PhaseFinishing, engine.PhaseFinished:
		return st.Good.Render("✓")
	case engine.PhaseFailed, engine.PhaseUndoFailed:
		return st.Bad.Render("✗")
	case engine.PhaseWaiting:
		return st.Busy.Render("‖")
	case engine.PhaseUndoing, engine.PhaseUndone:
		return st.Bad.Render("↩")
	}
	return st.Busy.Render("▶")
}

var targetMarks = map[sluice.Status]string{
	sluice.StatusSucceeded: "✓", sluice.StatusFailed: "✗", sluice.StatusRolledBack: "↩", sluice.StatusRollingBack: "↩",
	sluice.StatusCancelled: "↩", sluice.StatusPending: "·", sluice.StatusSkipped: "·", sluice.StatusWaiting: "‖",
	sluice.StatusPaused: "‖",
}

func isOver(s sluice.Status) bool {
	return isBad(s) || s == sluice.StatusSucceeded || s == sluice.StatusSkipped || s == sluice.StatusOvertaken
}

func isBad(s sluice.Status) bool {
	return s == sluice.StatusFailed || s == sluice.StatusRolledBack || s == sluice.StatusCancelled
}

func (m model) elapsed(from, to time.Time) string { return Took(cmp.Or(to, m.now).Sub(from)) }
