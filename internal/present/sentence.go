package present

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/plan"
)

// Sentences says what an event means, in one or more lines. s is the deployment after the event.
func Sentences(s *engine.State, e sluice.Event) []string {
	switch e.Kind {
	case sluice.DeploymentQueued:
		return []string{beginning(s, "queued")}
	case sluice.DeploymentStarted:
		return []string{beginning(s, "started")}
	case sluice.DeploymentEnded:
		return []string{fmt.Sprintf("deployment %s ended: %s", s.ID, cmp.Or(overtaken(s), string(e.Outcome)))}
	case sluice.DeploymentReopened:
		return []string{fmt.Sprintf("the undo of deployment %s goes on", s.ID)}
	case sluice.SignalReceived:
		return []string{signalSentence(s, *e.Signal)}
	}
	run := s.Steps[e.Step]
	if run == nil {
		return []string{fmt.Sprintf("%s  %s", e.Step, e.Kind)}
	}
	lines := stepSentences(s, run, e)
	for i, l := range lines {
		lines[i] = string(e.Step) + "  " + l
	}
	return lines
}

func beginning(s *engine.State, how string) string {
	return fmt.Sprintf("deployment %s of %s %s by %s: %s",
		s.ID, s.Plan.Application, how, s.StartedBy.Name, plan.TargetNames(s.Plan))
}

// overtaken says which deployment came before this one had started, "" if none did.
func overtaken(s *engine.State) string {
	if s.Overtaker == "" {
		return ""
	}
	return fmt.Sprintf("overtaken by deployment %s, submitted at %s", s.Overtaker, Moment(s.EndedAt))
}

func stepSentences(s *engine.State, run *engine.StepRun, e sluice.Event) []string {
	switch e.Kind {
	case sluice.StepStarting:
		return []string{"starts: " + plan.Describe(run.Plan)}
	case sluice.StepProgressed:
		return progressed(s, run, e)
	case sluice.StepUndoing:
		if e.Progress != nil {
			return []string{"still being undone: " + e.Progress.Message}
		}
	case sluice.StepRetrying:
		until := e.Until.Local().Format(time.TimeOnly)
		return append([]string{"tries again until " + until + ": " + failureText(e.Failure)}, hintLines(e.Failure)...)
	case sluice.StepDone:
		done := withMessage("done in "+Took(run.EndedAt.Sub(run.StartedAt)), e.Progress)
		return slices.Concat(changes(e.Progress), unready(s, run), []string{done})
	case sluice.StepFailed:
		return append([]string{"failed: " + failureText(e.Failure)}, hintLines(e.Failure)...)
	case sluice.StepSkipped:
		return []string{"skipped" + author(*e.Signal)}
	case sluice.StepUndoFailed:
		return append([]string{"could not be undone: " + failureText(e.Failure)}, hintLines(e.Failure)...)
	case sluice.StepFinishFailed:
		return append([]string{"left something behind: " + failureText(e.Failure)}, hintLines(e.Failure)...)
	}
	return []string{plainKinds[e.Kind]}
}

var plainKinds = map[sluice.EventKind]string{
	sluice.StepUndoing:   "is being undone",
	sluice.StepUndone:    "undone",
	sluice.StepFinishing: "is being finished",
	sluice.StepFinished:  "finished",
}

func progressed(s *engine.State, run *engine.StepRun, e sluice.Event) []string {
	lines := changes(e.Progress)
	if e.Progress.State == sluice.Waiting {
		return append(lines, waits(s.ID, run.Plan.ID, *e.Progress))
	}
	if e.Progress.Message != "" {
		lines = append(lines, strings.Split(e.Progress.Message, "\n")...)
	}
	return lines
}

func changes(p *sluice.Progress) []string {
	var lines []string
	for _, c := range p.Changes {
		if c.Outcome != sluice.Unchanged {
			lines = append(lines, fmt.Sprintf("%s %s", c.Object, c.Outcome))
		}
	}
	return lines
}

// unready names the workloads that count as ready although some of their pods are not.
func unready(s *engine.State, run *engine.StepRun) (lines []string) {
	target, _ := s.Plan.Target(run.Plan.Target)
	if run.Progress.Result == nil {
		return nil
	}
	for _, b := range run.Progress.Result.Brought {
		if b.Unready > 0 {
			within := manifest.Within(b.Pods-b.Unready, b.Pods, target.MaxUnready.Of(b.Pods))
			lines = append(lines, b.Workload.String()+": "+within)
		}
	}
	return lines
}

func withMessage(text string, p *sluice.Progress) string {
	if p == nil || p.Message == "" {
		return text
	}
	return text + ": " + p.Message
}

func failureText(f *sluice.Failure) string {
	if f == nil {
		return "no reason was recorded"
	}
	return f.Message
}

func hintLines(f *sluice.Failure) []string {
	if f == nil || f.Hint == "" {
		return nil
	}
	return []string{"hint: " + f.Hint}
}

func signalSentence(s *engine.State, sig sluice.Signal) string {
	text := sig.Kind
	switch sig.Kind {
	case sluice.SignalCallback:
		text = "callback, " + map[bool]string{true: "success", false: "failure"}[sig.Success]
	case sluice.SignalPause:
		return pausable(s, sig) + " paused" + author(sig) + "; to continue: sluice promote " + string(s.ID)
	case sluice.SignalContinue:
		return pausable(s, sig) + " continued" + author(sig)
	}
	if sig.Step != "" {
		text = string(sig.Step) + "  " + text
	}
	return text + author(sig)
}

// pausable names what the signal pauses or continues.
func pausable(s *engine.State, sig sluice.Signal) string {
	return cmp.Or(sig.Target, "deployment "+string(s.ID))
}

// pausedText says who holds the step back, "" if nobody does.
func pausedText(s *engine.State, run *engine.StepRun) string {
	if s.Held(run.Plan.Target) != run {
		return ""
	}
	return "paused" + author(*s.Paused(run.Plan.Target))
}

// continuing says how to let a step begin that somebody holds back, "" if nobody does.
func continuing(s *engine.State, run *engine.StepRun) string {
	if pausedText(s, run) == "" {
		return ""
	}
	return "to continue: sluice promote " + string(s.ID)
}

// author names the person who sent the signal, and the reason.
func author(sig sluice.Signal) string {
	text := " by " + sig.By.Name
	if len(sig.By.Roles) > 0 {
		text += " (" + strings.Join(sig.By.Roles, ", ") + ")"
	}
	if sig.Reason != "" {
		text += ": " + sig.Reason
	}
	return text
}

// waits says what a step waits for and what to type.
func waits(id sluice.DeploymentID, step sluice.StepID, p sluice.Progress) string {
	return strings.Join(append([]string{waitText(p)}, waitHints(id, step, *p.Wait)...), "; ")
}

func waitText(p sluice.Progress) string {
	text := cmp.Or(p.Message, waitReason(*p.Wait))
	if until := p.Wait.Until; !until.IsZero() {
		text += ", until " + until.Local().Format("2006-01-02 15:04:05")
	}
	return text
}

// waitHints says what to type, one command each.
func waitHints(id sluice.DeploymentID, step sluice.StepID, w sluice.Wait) []string {
	var hints []string
	if kinds := decisions(w); len(kinds) > 0 {
		how := "type"
		if !slices.Contains(kinds, sluice.SignalApprove) {
			how = "to continue now"
		}
		hints = append(hints, fmt.Sprintf("%s: sluice approve %s %s", how, id, step))
	}
	if slices.Contains(w.Signals, sluice.SignalReject) {
		hints = append(hints, fmt.Sprintf("or: sluice reject %s %s", id, step))
	}
	return hints
}

func waitReason(w sluice.Wait) string {
	var reasons []string
	if len(decisions(w)) > 0 {
		reasons = append(reasons, strings.TrimSuffix("an approval by "+strings.Join(w.Roles, " or "), " by "))
	}
	if slices.Contains(w.Signals, sluice.SignalCallback) {
		reasons = append(reasons, strings.TrimSpace("a callback "+w.Callback))
	}
	if len(reasons) == 0 {
		return "waits"
	}
	return "waits for " + strings.Join(reasons, " or ")
}

// decisions are the signals of a wait that a person sends.
func decisions(w sluice.Wait) []string {
	var kinds []string
	for _, kind := range []string{sluice.SignalApprove, sluice.SignalRollForward} {
		if slices.Contains(w.Signals, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
