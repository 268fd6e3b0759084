package service

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A PlanPreview is what a plan would do.
type PlanPreview struct {
	Plan     *sluice.Plan                         `json:"plan"`
	Previews map[sluice.StepID]sluice.Preview     `json:"previews,omitempty"`
	Refused  map[sluice.StepID]sluice.Diagnostics `json:"refused,omitempty"` // what will certainly fail
	Unknown  map[sluice.StepID]string             `json:"unknown,omitempty"` // why a step cannot say what it would do
	Missing  []sluice.MissingRight                `json:"missingRights,omitempty"`
}

// Preview asks each step what it would do. A step that cannot say does not hide the others. warning says why the rights
// on the accounts are not known.
func Preview(ctx context.Context, p *sluice.Plan, steps sluice.Steps, accounts map[string]sluice.Account) (
	out PlanPreview, warning, err error,
) {
	out = PlanPreview{
		Plan: p, Previews: map[sluice.StepID]sluice.Preview{}, Refused: map[sluice.StepID]sluice.Diagnostics{},
		Unknown: map[sluice.StepID]string{},
	}
	out.Missing, warning = MissingRights(ctx, p, accounts)
	vetting := engine.Vetting{Steps: steps}
	for _, planned := range p.Steps {
		target, _ := p.Target(planned.Target)
		preview, refused, err := vetting.Check(ctx, sluice.StepContext{
			Deployment: "preview", Plan: p, Target: target, Step: planned, Report: func(sluice.Progress) {},
		})
		if ctx.Err() != nil {
			return out, warning, ctx.Err()
		}
		switch {
		case len(refused) > 0:
			out.Refused[planned.ID] = refused
		case err != nil:
			out.Unknown[planned.ID] = explained(err)
		default:
			preview.Snapshot = nil // only undo needs it
			out.Previews[planned.ID] = preview
		}
	}
	return out, warning, nil
}

// explained returns the error with what to do about it.
func explained(err error) string {
	hint := sluice.ErrorHint(err)
	if hint == "" {
		return err.Error()
	}
	return err.Error() + "; " + strings.ReplaceAll(hint, "\n", "; ")
}

// Fault returns an error if the deployment would certainly fail: rights are missing, or steps cannot work. The latter
// are a Diagnostics.
func (p PlanPreview) Fault() error {
	if err := Denied(p.Missing); err != nil {
		return err
	}
	var all sluice.Diagnostics
	for _, s := range p.Plan.Steps {
		all = append(all, p.Refused[s.ID]...)
	}
	if len(all) == 0 {
		return nil
	}
	return all.InOrder("")
}

// Shown returns the previews for a tree of the plan. Where there is none, it says why; a missing account once.
func (p PlanPreview) Shown() map[sluice.StepID]sluice.Preview {
	all := map[sluice.StepID]sluice.Preview{}
	for id, preview := range p.Previews {
		all[id] = preview
	}
	for id, why := range p.Unknown {
		all[id] = sluice.Preview{Notes: []string{"not known yet: " + why}}
	}
	told := map[string]bool{} // accounts that are missing: nearly every step of their targets says so
	for _, s := range p.Plan.Steps {
		target, _ := p.Plan.Target(s.Target)
		for _, d := range p.Refused[s.ID] {
			isMissing := strings.HasSuffix(d.Message, fmt.Sprintf("there is no account %q", target.Account))
			if isMissing && told[target.Account] {
				continue
			}
			told[target.Account] = told[target.Account] || isMissing
			all[s.ID] = sluice.Preview{Notes: append(all[s.ID].Notes, "refused: "+d.Message)}
		}
	}
	return all
}
