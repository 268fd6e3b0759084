package present

import (
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// rehearsed returns what of the deployment was not done for real, and what was. What only concerns steps that
// never started is left out.
func rehearsed(s *engine.State) (stands []sluice.Rehearsed, real []string) {
	if s.Plan.Rehearsal == nil {
		return nil, nil
	}
	began := func(steps []sluice.StepID) bool {
		return len(steps) == 0 || slices.ContainsFunc(steps, func(id sluice.StepID) bool { return slices.Contains(s.Started, id) })
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

// rehearsed says what a rehearsal did not do for real.
func (m Summary) rehearsed() {
	stands, real := rehearsed(m.State)
	if m.State.Plan.Rehearsal == nil {
		return
	}
	m.line(0, "")
	m.line(0, "This was a rehearsal. Not done for real:")
	for _, r := range stands {
		m.line(1, "%s: %s", r.What, r.Instead)
	}
	m.line(0, "Done for real:")
	for _, r := range real {
		m.line(1, "%s", r)
	}
	m.line(0, "What was deployed still runs here; the next rehearsal changes it as a release would. End it with: sluice local down")
}
