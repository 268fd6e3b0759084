package present

import (
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/plan"
)

// A PlanOutput is a plan in JSON output.
type PlanOutput struct {
	Application   string                `json:"application"`
	Description   string                `json:"description,omitempty"`
	Context       map[string]string     `json:"context,omitempty"`
	Digest        string                `json:"digest"`
	Enqueue       bool                  `json:"enqueue,omitempty"`
	TakeOver      []string              `json:"takeOver,omitempty"`
	Replace       sluice.DeploymentID   `json:"replace,omitempty"`
	Targets       []planTarget          `json:"targets"`
	Steps         []*PlanStep           `json:"steps"`
	Rehearsal     *planRehearsal        `json:"rehearsal,omitempty"`
	MissingRights []sluice.MissingRight `json:"missingRights,omitempty"`
}

// A planRehearsal says which parts of a rehearsal are real, and what happens instead of the others.
type planRehearsal struct {
	Stands []sluice.Rehearsed `json:"stands,omitempty"`
	Real   []sluice.Real      `json:"real,omitempty"`
}

type planTarget struct {
	Name          string   `json:"name"`
	Account       string   `json:"account"`
	Namespace     string   `json:"namespace,omitempty"`
	DependsOn     []string `json:"dependsOn,omitempty"`
	AfterFailure  string   `json:"afterFailure"`
	Irreversible  []string `json:"irreversible,omitempty"`
	RollbackClass string   `json:"rollbackClass,omitempty"`
}

// A PlanStep is a step of a plan, and what it would do.
type PlanStep struct {
	ID          sluice.StepID      `json:"id"`
	Target      string             `json:"target"`
	Phase       sluice.Phase       `json:"phase"`
	Name        string             `json:"name,omitempty"`
	Kind        sluice.StepKind    `json:"kind"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	After       []sluice.StepID    `json:"after,omitempty"`
	Changes     []sluice.Change    `json:"changes,omitempty"`
	Notes       []string           `json:"notes,omitempty"`
	Refused     sluice.Diagnostics `json:"refused,omitempty"` // what the account refuses for good
	Unknown     string             `json:"unknown,omitempty"` // why nobody can say what it would do
}

// PlanOf returns the plan for JSON output. The caller adds to the steps what they would do.
func PlanOf(p *sluice.Plan) PlanOutput {
	out := PlanOutput{
		Application: p.Application, Description: p.Description, Context: p.Context, Digest: p.Digest, Enqueue: p.Enqueue,
		TakeOver: p.TakeOver, Replace: p.Replace,
	}
	if r := p.Rehearsal; r != nil {
		out.Rehearsal = &planRehearsal{r.Stands, r.Real}
	}
	for _, t := range p.Targets {
		out.Targets = append(out.Targets, planTarget{
			t.Name, t.Account, t.Namespace, t.DependsOn, t.AfterFailure, t.Irreversible, t.RollbackClass,
		})
	}
	for _, s := range p.Steps {
		out.Steps = append(out.Steps, &PlanStep{
			ID: s.ID, Name: s.Name, Target: s.Target, Phase: s.Phase, Kind: s.Kind, Title: plan.Title(s),
			Description: plan.Describe(s), After: s.After,
		})
	}
	return out
}
