package present

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// liveEvery is how often a step prints progress that is not recorded.
const liveEvery = 10 * time.Second

// A PlainView prints one line a fact, with the time since the deployment started.
type PlainView struct {
	mute
	out  io.Writer
	now  func() time.Time
	last map[sluice.StepID]time.Time
	said map[sluice.StepID]string // what a step said last, so that it is printed once
	pods map[sluice.StepID]string // what its pods said last
	told map[string]sluice.StepID // by why it failed: the first such step
	seen map[sluice.StepID]int    // how many samples of its analysis were printed
	name bool
}

// NewPlainView prints to out. If named is true, each line begins with the application.
func NewPlainView(out io.Writer, named bool) *PlainView {
	v := &PlainView{out: out, now: time.Now, name: named}
	v.last, v.said, v.told = map[sluice.StepID]time.Time{}, map[sluice.StepID]string{}, map[string]sluice.StepID{}
	v.seen, v.pods = map[sluice.StepID]int{}, map[sluice.StepID]string{}
	return v
}

// Show prints the update: an event and what a pod said at once, other progress every ten seconds. It says nothing
// twice, and nothing about steps that do nothing.
func (v *PlainView) Show(s *engine.State, u engine.Update) {
	if u.Event == nil {
		v.live(s, u)
		return
	}
	e := *u.Event
	if e.Kind == sluice.StepFinishing || e.Kind == sluice.StepFinished || v.goesOn(e) || isIdle(s, e) {
		return // the first two: clean-up after a success
	}
	if first := v.toldBefore(e); first != "" {
		v.line(s, e.At, string(e.Step)+"  failed for the same reason as "+string(first))
		return
	}
	if isFirst(s, e) {
		v.first(s, e)
		return
	}
	v.Event(s, e)
}

// toldBefore returns the step that failed before for the same reason, as a pod does to two waits; "" if none did.
func (v *PlainView) toldBefore(e sluice.Event) sluice.StepID {
	if e.Kind != sluice.StepFailed || e.Failure == nil {
		return ""
	}
	first, ok := v.told[e.Failure.Message]
	if !ok {
		v.told[e.Failure.Message] = e.Step
	}
	return first
}

// Event prints everything that an event means, including what Show leaves out.
func (v *PlainView) Event(s *engine.State, e sluice.Event) {
	if e.Kind == sluice.StepStarting {
		delete(v.seen, e.Step) // it begins again
	}
	all := judged(e)
	for _, sample := range all[min(v.seen[e.Step], len(all)):] {
		v.line(s, e.At, string(e.Step)+"  "+sampleSentence(sample))
	}
	v.seen[e.Step] = max(v.seen[e.Step], len(all))
	for _, sentence := range Sentences(s, e) {
		v.line(s, e.At, v.unsaid(e.Step, sentence))
	}
}

// unsaid leaves out of a sentence the lines of pods that were printed before.
func (v *PlainView) unsaid(step sluice.StepID, sentence string) string {
	said, lines := strings.Split(v.pods[step], "\n"), strings.Split(sentence, "\n")
	rest := slices.DeleteFunc(lines[1:], func(line string) bool { return slices.Contains(said, line) })
	return strings.Join(lines[:1+len(rest)], "\n")
}

// judged returns the samples of the analysis that the event is about.
func judged(e sluice.Event) []sluice.Sample {
	var r *sluice.Result
	switch {
	case e.Progress != nil:
		r = e.Progress.Result
	case e.Failure != nil:
		r = e.Failure.Result
	}
	if r == nil || r.Judgment == nil {
		return nil
	}
	return r.Judgment.Samples
}

// sampleSentence says what was measured and what that means.
func sampleSentence(sample sluice.Sample) string {
	text := sample.Reason
	if text == "" && sample.Value != nil {
		text = fmt.Sprintf("%.4g", *sample.Value)
	}
	return sample.Query + ": " + strings.Join(filled(text, string(sample.Verdict)), ": ")
}

// goesOn reports whether the event only says that a step still waits for the same thing.
func (v *PlainView) goesOn(e sluice.Event) bool {
	if e.Kind != sluice.StepProgressed || e.Progress.State != sluice.Waiting {
		return false
	}
	before := v.said[e.Step]
	v.said[e.Step] = e.Progress.Message
	return before != "" && before == e.Progress.Message && len(changes(e.Progress)) == 0
}

func (v *PlainView) live(s *engine.State, u engine.Update) {
	now := v.now()
	run := s.Steps[u.Step]
	p := *u.Progress
	var pods string
	p.Message, pods, _ = strings.Cut(p.Message, "\n")
	if pods != "" && pods != v.pods[u.Step] {
		v.pods[u.Step] = pods
		v.line(s, now, string(u.Step)+"  "+pods)
	}
	if run == nil || now.Sub(v.last[u.Step]) < liveEvery || now.Sub(run.StartedAt) < liveEvery {
		return
	}
	text := liveText(p)
	if text == "" || text == v.said[u.Step] {
		return
	}
	v.last[u.Step], v.said[u.Step] = now, text
	v.line(s, now, string(u.Step)+"  "+text)
}

func (v *PlainView) line(s *engine.State, at time.Time, text string) {
	if v.name {
		text = s.Plan.Application + "  " + text
	}
	Printf(v.out, "%8s  %s\n", Took(at.Sub(s.StartedAt)), text)
}

// liveText says in one line how much of a step is done.
func liveText(p sluice.Progress) string {
	text := p.Message
	if p.Amount != nil {
		if text != "" {
			text += ", "
		}
		text += Amount(*p.Amount)
	}
	return text
}
