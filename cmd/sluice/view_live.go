package main

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A liveView draws the deployment as a tree on a terminal, and asks on Ctrl-C what to do.
type liveView struct {
	program *tea.Program
	choices chan choice
	done    chan error
	live    map[sluice.StepID]sluice.Progress
	gauges  map[sluice.StepID]gauge
}

func newLiveView(a *app) *liveView {
	v := &liveView{
		choices: make(chan choice, 1), done: make(chan error, 1),
		live: map[sluice.StepID]sluice.Progress{}, gauges: map[sluice.StepID]gauge{},
	}
	m := model{styles: a.styles, choices: v.choices, now: time.Now(), width: 100, height: 40}
	v.program = tea.NewProgram(m, tea.WithInput(a.in), tea.WithOutput(a.out), tea.WithoutSignalHandler())
	go func() {
		_, err := v.program.Run()
		v.done <- err
	}()
	return v
}

// Show keeps the progress that is not recorded until the step has something newer to say.
func (v *liveView) Show(s *engine.State, u engine.Update) {
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

// measure begins a new gauge where the unit changes or the work begins anew.
func (v *liveView) measure(step sluice.StepID, n *sluice.Amount) {
	if n == nil {
		return
	}
	if g, ok := v.gauges[step]; !ok || g.unit != n.Unit || n.Done < g.done {
		v.gauges[step] = gauge{time.Now(), n.Unit, n.Done}
	}
}

func (v *liveView) Choices() <-chan choice { return v.choices }

// Close leaves the last picture on the terminal.
func (v *liveView) Close() error {
	v.program.Quit()
	return <-v.done
}
