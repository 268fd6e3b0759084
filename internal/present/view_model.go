package present

import (
	"cmp"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// frame is how often the elapsed times are redrawn.
const frame = 200 * time.Millisecond

type frameMsg time.Time

// A closeMsg takes the picture away.
type closeMsg struct{}

// A model is what the live view draws.
type model struct {
	styles  Styles
	choices chan<- Choice
	watches bool // Ctrl-C and q only end the watching

	shot          snapshot
	now           time.Time
	width, height int
	asking        question
	asked         Choice // the choice that is pending
	scrolled      int    // lines above the terminal
	scrolling     bool   // the whole tree is shown, as far as it fits, instead of the details that fit
	closed        bool
}

func (m model) Init() tea.Cmd { return nextFrame() }

func nextFrame() tea.Cmd {
	return tea.Tick(frame, func(t time.Time) tea.Msg { return frameMsg(t) })
}

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case frameMsg:
		m.now = time.Time(msg)
		return m, nextFrame()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case closeMsg:
		m.closed = true
	case snapshot:
		m.shot, m.now = msg, time.Now()
		if m.asked == ChoiceApprove && msg.approve == "" {
			m.asked = ""
		}
	case tea.KeyMsg:
		return m.key(msg.String()), nil
	}
	return m, nil
}

// A question is what the view asks.
type question int

const (
	nothing question = iota
	whetherToStop
	whetherToApprove
)

var answers = map[string]Choice{
	"d": ChoiceDetach, "enter": ChoiceDetach, "c": ChoiceCancel, "r": ChoiceRollBack, "ctrl+c": ChoiceLeave,
}

func (m model) key(key string) model {
	if m, ok := m.scroll(key); ok {
		return m
	}
	switch {
	case m.watches && (key == "ctrl+c" || key == "q"):
		m.choose(ChoiceLeave)
	case m.watches:
	case m.asking == whetherToStop:
		return m.stop(key)
	case key == "ctrl+c" || key == "q":
		m.asking = whetherToStop
	case m.asking == whetherToApprove:
		if m.asking = nothing; key == "y" || key == "enter" {
			m.asked = ChoiceApprove
			m.choose(ChoiceApprove)
		}
	case key == "a" && m.shot.approve != "":
		m.asking = whetherToApprove
	}
	return m
}

// stop takes the answer to the question whether to stop watching.
func (m model) stop(key string) model {
	if key == "esc" || key == "q" {
		m.asking = nothing
		return m
	}
	if c, ok := answers[key]; ok {
		m.asking, m.asked = nothing, c
		m.choose(c)
	}
	return m
}

// scroll moves through the whole tree. Esc goes back to the details that fit.
func (m model) scroll(key string) (model, bool) {
	page := max(1, m.height/2)
	by, ok := map[string]int{"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -page, "pgdown": page}[key]
	if !ok {
		back := m.scrolling && m.asking == nothing && key == "esc"
		m.scrolling = m.scrolling && !back
		return m, back
	}
	if !m.scrolling {
		m.scrolling, m.scrolled = true, 0
	}
	most := len(m.tree(2)) - m.room(m.wrapped(0, m.foot()...))
	m.scrolled = max(0, min(m.scrolled+by, most))
	return m, true
}

// room is how many lines of the tree fit above the foot.
func (m model) room(foot []string) int { return max(1, m.height-len(foot)-1) }

func (m model) choose(c Choice) {
	select {
	case m.choices <- c:
	default: // an earlier choice is still pending
	}
}

// View draws the tree with as much detail as fits the terminal.
func (m model) View() string {
	if m.shot.title == "" || m.closed {
		return ""
	}
	foot := m.wrapped(0, m.foot()...)
	if m.scrolling {
		all := m.tree(2)
		from := min(m.scrolled, max(0, len(all)-m.room(foot)))
		return m.picture(append(all[from:min(len(all), from+m.room(foot))], foot...))
	}
	var lines []string
	for detail := 2; detail >= 0; detail-- {
		lines = append(m.tree(detail), foot...)
		if len(lines) < m.height {
			break
		}
	}
	if len(lines) >= m.height && m.height > len(foot)+1 {
		lines = append(lines[:m.height-len(foot)-1], foot...)
	}
	return m.picture(lines)
}

// picture fits the lines into the width of the terminal.
func (m model) picture(lines []string) string {
	for i, l := range lines {
		lines[i] = ansi.Truncate(strings.ReplaceAll(l, "\n", ";"), max(m.width, 20), "…")
	}
	return strings.Join(lines, "\n") + "\n"
}

// wrapped returns the lines, indented and broken at spaces where the terminal ends: what to type is not cut off.
func (m model) wrapped(indent int, lines ...string) []string {
	var all []string
	for _, l := range lines {
		line := strings.Repeat(" ", indent)
		for i, word := range strings.Split(l, " ") {
			switch {
			case i == 0:
				line += word
			case ansi.StringWidth(line+" "+word) <= max(m.width, 20):
				line += " " + word
			default:
				all, line = append(all, line), strings.Repeat(" ", indent)+word
			}
		}
		all = append(all, line)
	}
	return all
}

// tree draws the targets with all steps, with those that are not done, or only with those that run. While others run,
// targets that have succeeded are drawn without their steps.
func (m model) tree(detail int) []string {
	title, elapsed := m.styles.strong.Render(m.shot.title), m.elapsed(m.shot.started, m.shot.ended)
	lines := []string{sprintf("%s  %s  %s", title, m.styles.status(m.shot.status), elapsed)}
	for _, t := range m.shot.targets {
		mark := m.styles.of(t.status).Render(cmp.Or(targetMarks[t.status], "▶"))
		line := sprintf("%s %-12s %s", mark, t.name, m.styles.status(t.status))
		if t.note != "" && !isOver(t.status) {
			line += string(m.styles.Faint.Render("  " + t.note))
		}
		lines = append(lines, line)
		for _, s := range t.steps {
			if m.shows(detail, t, s) {
				lines = append(lines, m.step(s, m.columns(t))...)
			}
		}
	}
	return lines
}

// columns are the widths of the first columns of a step's line.
type columns struct{ indent, path, elapsed, hint int }

// narrow is the width of the terminal below which the columns are only as wide as they have to be.
const narrow = 60

var (
	widest    = columns{indent: 4, path: 14, elapsed: 8, hint: 30}
	narrowest = columns{indent: 1, elapsed: 6, hint: 3} // path: that of the longest
)

func (m model) columns(t targetRow) columns {
	if m.width >= narrow {
		return widest
	}
	c := narrowest
	for _, s := range t.steps {
		c.path = max(c.path, len(s.path))
	}
	return c
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

func (m model) step(s stepLine, c columns) []string {
	text := s.text
	if s.amount != nil {
		text = strings.Join(filled(text, Amount(*s.amount), speed(*s.amount, s.since, m.now)), ", ")
	}
	elapsed := ""
	if !s.started.IsZero() {
		elapsed = m.elapsed(s.started, s.ended)
	}
	line := sprintf("%*s%s %-*s%*s  %s", c.indent, "", m.stepMark(s), c.path, s.path, c.elapsed, elapsed, m.shade(s, text))
	if s.hint == "" {
		return []string{line}
	}
	lines := []string{line}
	for hint := range strings.SplitSeq(s.hint, "; ") {
		indent := max(narrowest.hint, min(c.hint, m.width-ansi.StringWidth(hint)))
		lines = append(lines, m.wrapped(indent, string(m.styles.strong.Render(hint)))...)
	}
	return lines
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
}

func isOver(s sluice.Status) bool {
	return isBad(s) || s == sluice.StatusSucceeded || s == sluice.StatusSkipped || s == sluice.StatusOvertaken
}

func isBad(s sluice.Status) bool {
	return s == sluice.StatusFailed || s == sluice.StatusRolledBack || s == sluice.StatusCancelled
}

func (m model) elapsed(from, to time.Time) string { return Took(cmp.Or(to, m.now).Sub(from)) }

func (m model) foot() []string {
	switch {
	case m.asking == whetherToStop:
		return []string{"", sprintf("%s  d detach (Enter)   c cancel   r roll back   Esc continue watching   "+
			"Ctrl-C stop; resume later", m.styles.strong.Render("Stop watching?"))}
	case m.asking == whetherToApprove:
		return []string{"", sprintf("%s  y approve (Enter)   Esc continue watching",
			m.styles.strong.Render("Approve "+string(m.shot.approve)+"?"))}
	case isOver(m.shot.status):
		return nil
	}
	return []string{"", string(m.styles.Faint.Render(strings.Join(m.keys(), "   ")))}
}

// keys says what can be typed.
func (m model) keys() []string {
	keys := []string{"Ctrl-C: detach, cancel or roll back"}
	switch {
	case m.watches:
		keys = []string{"q: stop watching"}
	case m.asked != "":
		keys = []string{"asked to " + strings.ToLower(string(m.asked))}
	case m.shot.approve != "":
		keys = append(keys, "a: approve "+string(m.shot.approve))
	}
	if m.scrolling {
		return append(keys, "Esc: what fits")
	}
	return append(keys, "↑↓: scroll")
}
