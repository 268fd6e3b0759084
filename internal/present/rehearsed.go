package present

import (
	"io"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// rehearsed returns what the rehearsal simulated and what it did for real. It leaves out what only concerns steps that
// never started.
func rehearsed(s *engine.State) (stands []sluice.Rehearsed, real []string) {
	if s.Plan.Rehearsal == nil {
		return nil, nil
	}
	began := func(steps []sluice.StepID) bool {
		started := func(id sluice.StepID) bool { return slices.Contains(s.Started, id) }
		return len(steps) == 0 || slices.ContainsFunc(steps, started)
	}
	for _, r := range s.Plan.Rehearsal.Stands {
		if began(r.Steps) {
			r.Steps = nil
			stands = append(stands, r)
		}
	}
	for _, r := range s.Plan.Rehearsal.Real {
		if began(r.Steps) {
			real = append(real, r.What)
		}
	}
	return stands, real
}

// rehearsed says what a rehearsal simulated.
func (m Summary) rehearsed() {
	stands, real := rehearsed(m.State)
	if m.State.Plan.Rehearsal == nil {
		return
	}
	m.line(0, "")
	if undecided := Undecided(m.State); len(undecided) > 0 {
		m.line(0, "The rehearsal approved what a person would have had to decide:")
		for _, u := range undecided {
			m.line(1, "%s: %s: %s", u.Step, u.Verdict, u.Reason)
		}
	}
	m.line(0, "This was a rehearsal. Not done for real:")
	standsAndReal(m.Out, stands, real)
	m.line(0, "The rehearsed release still runs here, and the next rehearsal updates it. End it with: sluice local down")
}

// Rehearsal says what a rehearsal will simulate and what it will do for real.
func Rehearsal(w io.Writer, r *sluice.Rehearsal) error {
	var real []string
	for _, each := range r.Real {
		real = append(real, each.What)
	}
	Printf(w, "\nThis is a rehearsal. Not done for real:\n")
	return standsAndReal(w, r.Stands, real)
}

func standsAndReal(w io.Writer, stands []sluice.Rehearsed, real []string) error {
	for _, r := range stands {
		Printf(w, "  %s: %s\n", r.What, r.Instead)
	}
	err := Printf(w, "Done for real:\n")
	for _, what := range real {
		err = Printf(w, "  %s\n", what)
	}
	return err
}

// An UndecidedStep went on in a rehearsal although its judgment was not good.
type UndecidedStep struct {
	Step    sluice.StepID  `json:"step"`
	Verdict sluice.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
}

// Undecided lists the steps of a rehearsal that it approved, although their judgment was not good and nobody had
// decided.
func Undecided(s *engine.State) (list []UndecidedStep) {
	if s.Plan.Rehearsal == nil || !s.Plan.Rehearsal.Approve {
		return nil
	}
	for _, id := range s.Started {
		run := s.Steps[id]
		if run.Failure != nil || run.Plan.Analysis == nil || !approvedBlindly(run) {
			continue
		}
		j := run.Progress.Result.Judgment
		list = append(list, UndecidedStep{Step: id, Verdict: j.Verdict, Reason: j.Reason})
	}
	return list
}

// approvedBlindly reports whether the step is done although its judgment needs a person, and no person has said so.
func approvedBlindly(run *engine.StepRun) bool {
	done := slices.Contains([]engine.RunPhase{engine.PhaseDone, engine.PhaseFinishing, engine.PhaseFinished}, run.Phase)
	if !done || len(run.Progress.Signals) > 0 || run.Progress.Result == nil || run.Progress.Result.Judgment == nil {
		return false
	}
	verdict := run.Progress.Result.Judgment.Verdict
	byFile := verdict == sluice.Unknown && run.Plan.Analysis.OnUnknown == "rollForward"
	return verdict != sluice.Good && !byFile
}
