package pages

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/present"
)

// A column is a target of the graph with its steps.
type column struct {
	Name   string
	Sign   Sign
	After  string // the targets that it depends on
	Place  string // account and namespace
	Note   string // the share of the traffic
	Paused *sluice.Signal
	Class  string // the rollback class
	Steps  []row
}

// A row is a step of the graph.
type row struct {
	ID       sluice.StepID
	Title    string
	Sign     Sign
	Took     Length
	Live     string // how it stands, of a step that is at work or waits
	Bar      *sluice.Amount
	Chosen   bool
	Parallel bool // runs beside the step before it
	Begins   bool // is the first of a phase of its target
}

// columns draws the graph: the targets after those that they depend on.
func (v *visit) columns(d *deploymentRun, chosen *engine.StepRun) []column {
	s := d.state
	var list []column
	for _, t := range ordered(s.Plan) {
		c := column{
			Name: t.Name, Sign: signOf(s.Target(t.Name)), After: strings.Join(t.DependsOn, ", "),
			Place: t.Account, Paused: s.Paused(t.Name), Class: t.RollbackClass,
		}
		if t.Namespace != "" {
			c.Place += "/" + t.Namespace
		}
		if weight, ok := weightOf(s, t.Name); ok && s.Target(t.Name) != sluice.StatusSucceeded {
			c.Note = fmt.Sprintf("%d %%", weight)
		}
		var before sluice.PlannedStep
		for _, p := range s.Plan.Steps {
			run := s.Steps[p.ID]
			if p.Target != t.Name || p.Phase == sluice.PhaseOnRollback && run.StartedAt.IsZero() {
				continue
			}
			r := v.rowOf(d, run)
			r.Chosen = run == chosen
			r.Parallel = before.ID != "" && before.Phase == p.Phase && slices.Equal(before.After, p.After)
			r.Begins = before.ID != "" && before.Phase != p.Phase
			c.Steps, before = append(c.Steps, r), p
		}
		list = append(list, c)
	}
	return list
}

func (v *visit) rowOf(d *deploymentRun, run *engine.StepRun) row {
	r := row{
		ID: run.Plan.ID, Title: plan.Title(run.Plan), Sign: stepSign(run), Took: v.took(run.StartedAt, run.EndedAt),
	}
	live, isLive := d.live[run.Plan.ID]
	isBusy := slices.Contains([]engine.RunPhase{
		engine.PhaseStarting, engine.PhaseRunning, engine.PhaseWaiting, engine.PhaseUndoing,
	}, run.Phase)
	switch {
	case !isBusy || d.state.Outcome != "":
		if !run.StartedAt.IsZero() && run.EndedAt.IsZero() {
			r.Took = Length{}
		}
		return r
	case isLive:
		r.Live, r.Bar = live.Message, live.Amount
	case run.Retrying != nil || run.Phase != engine.PhaseRunning && run.Phase != engine.PhaseStarting:
		r.Live = waitsFor(run)
	default:
		r.Live, r.Bar = run.Progress.Message, run.Progress.Amount
	}
	if run.Phase == engine.PhaseUndoing {
		r.Took = Length{}
	}
	if r.Bar != nil {
		how := present.Amount(*r.Bar)
		if rate := speed(*r.Bar, d.begun[run.Plan.ID], v.at); rate != "" {
			how += ", " + rate
		}
		r.Live = strings.TrimPrefix(r.Live+", "+how, ", ")
	}
	r.Live = short(r.Live)
	return r
}

// speed says how fast a piece of work is and how long it still takes, as soon as that is known.
func speed(n sluice.Amount, from beginning, now time.Time) string {
	elapsed := now.Sub(from.at).Seconds()
	if from.unit != n.Unit || elapsed < 1 || n.Done <= from.done {
		return ""
	}
	rate := float64(n.Done-from.done) / elapsed
	text := humanize.Comma(int64(rate)) + " " + n.Unit + "/s"
	if n.Unit == "bytes" {
		text = humanize.IBytes(uint64(rate)) + "/s"
	}
	if n.Total > n.Done {
		left := time.Duration(float64(n.Total-n.Done) / rate * float64(time.Second))
		text += ", " + present.Took(left) + " left"
	}
	return text
}
