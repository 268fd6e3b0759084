package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// A Rollback says what to go back to.
type Rollback struct {
	Deployment string   `json:"deployment,omitempty" doc:"An id or its start; absent: the one that runs, or the latest"`
	Gates      bool     `json:"gates,omitempty" doc:"Go through the weights and gates of the earlier release again"`
	Data       []string `json:"data,omitempty" doc:"Checkpoints to put back; absent: the data is left as it is"`
	TakeOver   []string `json:"takeOver,omitempty" doc:"Field managers whose fields may be taken"`
	Reason     string   `json:"reason,omitempty" maxLength:"4000" doc:"Why; it is recorded"`
}

func (r Rollback) request() service.RollbackRequest {
	return service.RollbackRequest{
		Deployment: r.Deployment, Gates: r.Gates, Data: r.Data, TakeOver: r.TakeOver, Reason: r.Reason,
	}
}

// A TargetLoss is what putting a checkpoint back into a target takes away.
type TargetLoss struct {
	Target string `json:"target"`
	Class  string `json:"class" doc:"The rollback class, A to D"`
	Text   string `json:"text" doc:"What is taken away, in words"`
	service.Loss
}

func lossOf(target string, l service.Loss) TargetLoss {
	return TargetLoss{target, string(l.Class()), l.String(), l}
}

// A RollbackPlan is what going back would mean.
type RollbackPlan struct {
	Application string              `json:"application"`
	Running     sluice.DeploymentID `json:"running,omitempty" doc:"A deployment that still runs would be rolled back"`
	Unfinished  sluice.DeploymentID `json:"unfinished,omitempty" doc:"An undo that failed would go on"`
	Plan        *sluice.Plan        `json:"plan,omitempty"`
	Losses      []TargetLoss        `json:"losses,omitempty"`
}

func (a *api) rollbacks() {
	register(a, huma.Operation{
		OperationID: "plan-rollback", Method: http.MethodPost, Path: "/rollbacks/plan",
		Summary: "Show what a rollback would do", Tags: []string{"rollbacks"},
	}, func(ctx context.Context, c access.Caller, in *body[Rollback]) (*body[RollbackPlan], error) {
		r, losses, err := a.Server.PlanRollback(ctx, c, in.Body.request())
		if err != nil {
			return nil, err
		}
		out := &body[RollbackPlan]{RollbackPlan{Application: r.Application, Plan: r.Plan}}
		if r.Running != nil {
			out.Body.Running = r.Running.ID
		}
		if r.Unfinished != nil {
			out.Body.Unfinished = r.Unfinished.ID
		}
		for _, t := range r.Targets {
			if loss, counted := losses[t.Target]; counted {
				out.Body.Losses = append(out.Body.Losses, lossOf(t.Target, loss))
			}
		}
		return out, nil
	})
	register(a, huma.Operation{
		OperationID: "roll-back", Method: http.MethodPost, Path: "/rollbacks", DefaultStatus: http.StatusCreated,
		Summary: "Return targets to the release before", Tags: []string{"rollbacks"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Keyed
		Body Rollback
	}) (*startedOutput, error) {
		return startedOf(a.Server.Rollback(ctx, c, in.Body.request(), in.Key))
	})
}
