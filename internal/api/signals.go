package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// A SignalRequest is what a caller decides about a deployment.
type SignalRequest struct {
	Kind   string        `json:"kind" enum:"approve,reject,rollForward,promote,pause,continue,rollBack,cancel"`
	Step   sluice.StepID `json:"step,omitempty" doc:"The step that it is about; absent: the deployment or a target"`
	Target string        `json:"target,omitempty" doc:"pause and continue: only this target"`
	Reason string        `json:"reason,omitempty" maxLength:"4000" doc:"Why; it is recorded"`
	Roles  []string      `json:"roles,omitempty" doc:"In which the caller decides, on a server that proves none"`
}

// A Reason is why somebody wants something.
type Reason struct {
	Reason string `json:"reason,omitempty" maxLength:"4000" doc:"Why; it is recorded"`
}

func (a *api) signals() {
	register(a, huma.Operation{
		OperationID: "signal", Method: http.MethodPost, Path: "/deployments/{id}/signals",
		DefaultStatus: http.StatusNoContent,
		Summary:       "Send a signal to a deployment, such as approve or cancel", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByID
		Keyed
		Body SignalRequest
	}) (*struct{}, error) {
		return nil, a.Server.Signal(ctx, c, in.ID, sluice.Signal{
			Kind: in.Body.Kind, Step: in.Body.Step, Target: in.Body.Target, Reason: in.Body.Reason, Request: in.Key,
			By: sluice.Actor{Roles: in.Body.Roles},
		})
	})
	register(a, huma.Operation{
		OperationID: "reopen", Method: http.MethodPost, Path: "/deployments/{id}/reopening",
		DefaultStatus: http.StatusNoContent,
		Summary:       "Go on with an undo that failed", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByID
		Body Reason
	}) (*struct{}, error) {
		return nil, a.Server.Reopen(ctx, c, in.ID, in.Body.Reason)
	})
}
