package present

import (
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A LiveView draws the deployment as a tree on a terminal.
type LiveView struct {
	program *tea.Program
	out     io.Writer
	last    model // once the program has ended
	choices chan Choice
	done    chan error
	live    map[sluice.StepID]sluice.Progress
	gauges  map[sluice.StepID]gauge
}

// NewLiveView draws on the terminal of in and out. If watches is true, Ctrl-C and q are ChoiceLeave;
// otherwise they ask what to do.
func NewLiveView(in io.Reader, out io.Writer, st Styles, watches bool) *LiveView {
	v := &LiveView{
		out: out, choices: make(chan Choice, 1), done: make(chan error, 1),
		live: map[sluice.StepID]sluice.Progress{}, gauges: map[sluice.StepID]gauge{},
	}
	m := model{styles: st, watches: watches, choices: v.choices, now: time.Now(), width: 100, height: 40}
	v.program = tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	go func() {
		last, err := v.program.Run()
		v.last, _ = last.(model)
		v.done <- err
	}()
	return v
}

// Show draws the update. Progress that is not recorded stays until the step reports something newer.
func (v *LiveView) Show(s *engine.State, u engine.Update) {
	if u.Event != nil {
		delete(v.live, u.Event.Step)
		if u.Event.Kind == sluice.StepUndoing {
			delete(v.gauges, u.Event.Step)
		}
	}
	if u.Progress != nil {
		v.live[u.Step] = *u.Progress
		v.measure(u.Step, u.Progress.Amount)
	}
	v.program.Send(snap(s, v.live, v.gauges))
}

// measure starts a new gauge when the unit changes or the work starts again.
func (v *LiveView) measure(step sluice.StepID, n *sluice.Amount) {
	if n == nil {
		return
	}
	if g, ok := v.gauges[step]; !ok || g.unit != n.Unit || n.Done < g.done {
		v.gauges[step] = gauge{time.Now(), n.Unit, n.Done}
	}
}

// Choices yields what a person typed.
func (v *LiveView) Choices() <-chan Choice { return v.choices }

// Close leaves the whole tree on the terminal, also if it is longer than the terminal.
func (v *LiveView) Close() error {
	v.program.Send(closeMsg{})
	v.program.Quit()
	if err := <-v.done; err != nil || v.last.shot.title == "" {
		return err
	}
	_, err := io.WriteString(v.out, picture(v.last.tree(2)))
	return err
}
