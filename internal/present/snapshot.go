package present

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
)

// A snapshot is what the live view draws of a deployment. It shares nothing with the state.
type snapshot struct {
	title   string
	status  sluice.Status
	started time.Time
	ended   time.Time
	targets []targetRow
	approve sluice.StepID // the only step that a person can let go on without a role; "": there is none, or several
}

type targetRow struct {
	name   string
	status sluice.Status
	note   string // the weight
	steps  []stepLine
}

type stepLine struct {
	title   string // what it is
	path    string // its id below the target
	phase   engine.RunPhase
	failed  bool
	skipped bool
	started time.Time
	ended   time.Time
	text    string   // how it stands
	hints   []string // what to type, each on a line of its own
	amount  *sluice.Amount
	since   gauge
}

// A gauge remembers a step's first amount, from which its rate follows.
type gauge struct {
	at   time.Time
	unit string
	done int64
}

// snap returns the snapshot of a deployment. live is progress that is not recorded.
func snap(s *engine.State, live map[sluice.StepID]sluice.Progress, gauges map[sluice.StepID]gauge) snapshot {
	title := s.Plan.Application + " " + string(s.ID)
	shot := snapshot{title: title, status: s.Status(), started: s.StartedAt, ended: s.EndedAt}
	for _, t := range s.Plan.Targets {
		row := targetRow{name: t.Name, status: s.Target(t.Name), note: weight(s, t.Name)}
		for _, p := range s.Plan.Steps {
			run := s.Steps[p.ID]
			if p.Target != t.Name || p.Phase == sluice.PhaseOnRollback && run.StartedAt.IsZero() {
				continue
			}
			row.steps = append(row.steps, snapStep(s, run, live[p.ID], gauges[p.ID]))
		}
		shot.targets = append(shot.targets, row)
	}
	shot.approve = approvable(s)
	return shot
}

// approvable returns the only step that a person can let go on without a role, "" if there is none or several.
func approvable(s *engine.State) sluice.StepID {
	var found []sluice.StepID
	for _, id := range s.Started {
		run := s.Steps[id]
		if run.Phase == engine.PhaseWaiting && run.Progress.Wait != nil && len(decisions(*run.Progress.Wait)) > 0 {
			if len(run.Progress.Wait.Roles) > 0 {
				return ""
			}
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

func snapStep(s *engine.State, run *engine.StepRun, live sluice.Progress, since gauge) stepLine {
	row := stepLine{
		path: strings.TrimPrefix(string(run.Plan.ID), run.Plan.Target+"/"), phase: run.Phase,
		failed: run.Failure != nil || run.Leftover != nil, skipped: run.Skipped != nil,
		started: run.StartedAt, ended: run.EndedAt,
		title: plan.Title(run.Plan), since: since,
	}
	if isBusy(run) && (live.Message != "" || live.Amount != nil || live.Result != nil) {
		row.amount = live.Amount
		row.text = strings.Join(filled(live.Message, samples(live.Result)), ", ")
		if run.Phase == engine.PhaseUndoing {
			row.text = beingUndone(row.text)
		}
		return row
	}
	if run.Phase == engine.PhaseWaiting {
		row.text = strings.Join(filled(waitText(run.Progress), samples(run.Progress.Result)), ", ")
		row.hints = waitHints(s.ID, run.Plan.ID, *run.Progress.Wait)
		return row
	}
	if text := pausedText(s, run); text != "" {
		row.phase, row.text, row.hints = engine.PhaseWaiting, text, []string{continuing(s, run)}
		return row
	}
	row.text = treeText(s, run)
	if s.Outcome == "" && run.Phase == engine.PhaseFailed { // at the end the summary has all of it
		row.text, row.hints = failureText(run.Failure), hintLines(run.Failure)
	}
	return row
}

// treeText says how a step stands that does not run forward.
func treeText(s *engine.State, run *engine.StepRun) string {
	switch run.Phase {
	case engine.PhaseUndoing:
		return strings.Join(filled(firstLine(run.Failure), beingUndone(run.WaitsFor)), "; ")
	case engine.PhaseUndone:
		return strings.Join(filled(firstLine(run.Failure), "undone"), "; ")
	}
	return standing(s, run)
}

func beingUndone(how string) string { return strings.Join(filled("is being undone", how), ": ") }

func isBusy(run *engine.StepRun) bool {
	return slices.Contains([]engine.RunPhase{
		engine.PhaseStarting, engine.PhaseRunning, engine.PhaseWaiting, engine.PhaseUndoing, engine.PhaseFinishing,
	}, run.Phase)
}

func filled(texts ...string) []string {
	var list []string
	for _, t := range texts {
		if t != "" {
			list = append(list, t)
		}
	}
	return list
}

// weight says what the new version got of the target's traffic or pods by the last weight, if any.
func weight(s *engine.State, target string) string {
	text := ""
	for _, id := range s.Started {
		run := s.Steps[id]
		if run.Plan.Target == target && run.Plan.SetWeight != nil && run.Phase == engine.PhaseDone {
			text = run.Progress.Message
		}
	}
	return text
}

// maxSamples is how many of the latest samples of an analysis are shown.
const maxSamples = 4

func samples(r *sluice.Result) string {
	if r == nil || r.Judgment == nil {
		return ""
	}
	list := r.Judgment.Samples
	var texts []string
	for _, sample := range list[max(0, len(list)-maxSamples):] {
		value := "no value"
		if sample.Value != nil {
			value = fmt.Sprintf("%.4g", *sample.Value)
		}
		texts = append(texts, fmt.Sprintf("%s %s %s", sample.Query, value, sample.Verdict))
	}
	return strings.Join(texts, ", ")
}

// speed says how fast a piece of work is and how long it still takes, as soon as that is known.
func speed(n sluice.Amount, since gauge, now time.Time) string {
	elapsed := now.Sub(since.at).Seconds()
	if since.unit != n.Unit || elapsed < 1 || n.Done <= since.done {
		return ""
	}
	rate := float64(n.Done-since.done) / elapsed
	text := humanize.Comma(int64(rate)) + " " + n.Unit + "/s"
	if n.Unit == "bytes" {
		text = humanize.IBytes(uint64(rate)) + "/s"
	}
	if n.Total > n.Done {
		text += ", " + Took(time.Duration(float64(n.Total-n.Done)/rate*float64(time.Second))) + " left"
	}
	return text
}
