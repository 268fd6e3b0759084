package service

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// A PlanPreview is what a plan would do.
type PlanPreview struct {
	Plan     *sluice.Plan                     `json:"plan"`
	Previews map[sluice.StepID]sluice.Preview `json:"previews,omitempty"`
	Unknown  map[sluice.StepID]string         `json:"unknown,omitempty"` // why a step cannot say what it would do
	Missing  []sluice.MissingRight            `json:"missingRights,omitempty"`
}

// Preview asks each step what it would do. A step that cannot say does not hide the others. accounts are those that
// run; warning says why their rights are not known.
func Preview(ctx context.Context, p *sluice.Plan, steps sluice.Steps, accounts map[string]sluice.Account) (
	out PlanPreview, warning, err error,
) {
	out = PlanPreview{Plan: p, Previews: map[sluice.StepID]sluice.Preview{}, Unknown: map[sluice.StepID]string{}}
	out.Missing, warning = MissingRights(ctx, p, accounts)
	for _, planned := range p.Steps {
		target, _ := p.Target(planned.Target)
		if _, runs := accounts[target.Account]; !runs {
			out.Unknown[planned.ID] = "account " + target.Account + " does not run; sluice run starts it"
			continue
		}
		preview, err := check(ctx, steps, sluice.StepContext{Plan: p, Target: target, Step: planned})
		if ctx.Err() != nil {
			return out, warning, ctx.Err()
		}
		if err != nil {
			out.Unknown[planned.ID] = err.Error()
			continue
		}
		preview.Snapshot = nil // only undo needs it
		out.Previews[planned.ID] = preview
	}
	return out, warning, nil
}

func check(ctx context.Context, steps sluice.Steps, c sluice.StepContext) (sluice.Preview, error) {
	c.Deployment, c.Report = "preview", func(sluice.Progress) {}
	s, err := steps.New(c)
	if err != nil {
		return sluice.Preview{}, err
	}
	return s.Check(ctx)
}

// Shown returns the previews for a tree of the plan. Where there is none, it says why.
func (p PlanPreview) Shown() map[sluice.StepID]sluice.Preview {
	all := map[sluice.StepID]sluice.Preview{}
	for id, preview := range p.Previews {
		all[id] = preview
	}
	for id, why := range p.Unknown {
		all[id] = sluice.Preview{Notes: []string{"not known yet: " + why}}
	}
	return all
}
