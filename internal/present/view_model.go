package present

import (
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
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
	sized         bool // by the terminal
	asking        question
	asked         Choice // the choice that is pending
	scrolled      int    // lines above the terminal
	scrolling     bool   // the whole tree is shown, as far as it fits, instead of the details that fit
	helping       bool   // the keys are explained
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
		return m.resize(msg.Width, msg.Height)
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

// resize takes the new size. The terminal has already broken or joined the lines that were drawn at another width, so
// nobody knows how many there are: all are drawn anew on an empty screen.
func (m model) resize(width, height int) (tea.Model, tea.Cmd) {
	redraw := m.sized && width != m.width
	m.width, m.height, m.sized = width, height, true
	if redraw {
		return m, tea.ClearScreen
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
	explained := m.helping
	m.helping = key == "?" && !explained && m.asking == nothing
	if m.helping || explained && (key == "?" || key == "esc") {
		return m
	}
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
	most := len(m.tree(2)) - m.room(m.foot())
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
	foot := m.foot()
	if m.scrolling {
		all := m.tree(2)
		from := min(m.scrolled, max(0, len(all)-m.room(foot)))
		return picture(append(all[from:min(len(all), from+m.room(foot))], foot...))
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
	return picture(lines)
}

func picture(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// foot says below the tree what can be typed.
func (m model) foot() []string {
	choices := m.choicesNow()
	if len(choices) == 0 {
		return nil
	}
	return append([]string{""}, hang(flow(choices, "   ", m.columns()-2), 2)...)
}

func (m model) choicesNow() []string {
	switch {
	case m.asking == whetherToStop:
		return m.question("Stop watching?", "d detach (Enter)", "c cancel", "r roll back", "Esc continue watching",
			"Ctrl-C stop; resume later")
	case m.asking == whetherToApprove:
		return m.question("Approve "+string(m.shot.approve)+"?", "y approve (Enter)", "Esc continue watching")
	case isOver(m.shot.status):
		return nil
	case m.helping:
		return m.question("Keys:", m.help()...)
	}
	keys := m.keys()
	for i, k := range keys {
		keys[i] = string(m.styles.Faint.Render(k))
	}
	return keys
}

func (m model) question(question string, choices ...string) []string {
	return append([]string{string(m.styles.strong.Render(question))}, choices...)
}

// keys are the keys that matter now.
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
		keys = append(keys, "Esc: what fits")
	}
	return append(keys, "?: help")
}

// help are all keys.
func (m model) help() []string {
	keys := []string{"q or Ctrl-C: stop watching"}
	if !m.watches {
		keys = []string{
			"q or Ctrl-C: asks whether to detach, cancel or roll back", "a: approve the only step that waits for a person",
		}
	}
	return append(keys, "↑ ↓ or j k: scroll", "PgUp PgDn: scroll by half a screen", "Esc: back to what fits",
		"?: close this help")
}
