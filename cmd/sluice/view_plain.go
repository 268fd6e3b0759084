package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// liveEvery is how often progress that is not recorded gets a line of its own, per step.
const liveEvery = 10 * time.Second

// A plainView prints a line a fact, with the time since the deployment started.
type plainView struct {
	out  io.Writer
	now  func() time.Time
	last map[sluice.StepID]time.Time
	said map[sluice.StepID]string // what a waiting step says, so that a wait that goes on is told once
	name bool                     // whether each line begins with the application
}

func newPlainView(out io.Writer) *plainView {
	return &plainView{out: out, now: time.Now, last: map[sluice.StepID]time.Time{}, said: map[sluice.StepID]string{}}
}

func (v *plainView) Show(s *engine.State, u engine.Update) {
	if u.Event == nil {
		v.live(s, u)
		return
	}
	if u.Event.Kind == sluice.StepFinishing || u.Event.Kind == sluice.StepFinished {
		return // housekeeping after a success
	}
	if v.goesOn(*u.Event) {
		return
	}
	for _, sentence := range sentences(s, *u.Event) {
		v.line(s, u.Event.At, sentence)
	}
}

// goesOn reports whether the event says nothing but that a step waits on for what it said before.
func (v *plainView) goesOn(e sluice.Event) bool {
	if e.Kind != sluice.StepProgressed || e.Progress.State != sluice.Waiting {
		return false
	}
	before := v.said[e.Step]
	v.said[e.Step] = e.Progress.Message
	return before != "" && before == e.Progress.Message && len(changes(e.Progress)) == 0
}

func (v *plainView) live(s *engine.State, u engine.Update) {
	now := v.now()
	run := s.Steps[u.Step]
	if run == nil || now.Sub(v.last[u.Step]) < liveEvery || now.Sub(run.StartedAt) < liveEvery {
		return
	}
	text := liveText(*u.Progress)
	if text == "" {
		return
	}
	v.last[u.Step] = now
	v.line(s, now, string(u.Step)+"  "+text)
}

func (v *plainView) line(s *engine.State, at time.Time, text string) {
	if v.name {
		text = s.Plan.Application + "  " + text
	}
	fmt.Fprintf(v.out, "%8s  %s\n", took(at.Sub(s.StartedAt)), text)
}

func (v *plainView) Choices() <-chan choice { return nil }

func (v *plainView) Close() error { return nil }

// liveText says in a line how far a step has come.
func liveText(p sluice.Progress) string {
	text := p.Message
	if p.Amount != nil {
		if text != "" {
			text += ", "
		}
		text += amount(*p.Amount)
	}
	return text
}
