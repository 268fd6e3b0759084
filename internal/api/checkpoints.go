package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// ByCheckpoint is the part of a request that names a checkpoint.
type ByCheckpoint struct {
	ID sluice.CheckpointID `path:"id" doc:"The checkpoint"`
}

// Checkpoints is a list of checkpoints.
type Checkpoints struct {
	Items []sluice.Checkpoint `json:"items" nullable:"false"`
}

// A Restore says into which target a checkpoint is put.
type Restore struct {
	Target string `json:"target,omitempty" doc:"Absent: the target that it was taken from"`
}

// A RestorePlan is what putting a checkpoint back would mean.
type RestorePlan struct {
	Plan *sluice.Plan `json:"plan"`
	Loss TargetLoss   `json:"loss"`
}

// A Keep says until when a checkpoint is kept.
type Keep struct {
	Until time.Time `json:"until,omitzero" doc:"Absent: for good"`
}

func (a *api) checkpoints() {
	register(a, huma.Operation{
		OperationID: "list-checkpoints", Method: http.MethodGet, Path: "/checkpoints",
		Summary: "List checkpoints, the newest first", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Application string `query:"application" doc:"Only those of this application"`
	}) (*body[Checkpoints], error) {
		list, err := service.Checkpoints(ctx, a.Server.Visible(c), in.Application)
		if err != nil {
			return nil, err
		}
		return &body[Checkpoints]{Checkpoints{append([]sluice.Checkpoint{}, list...)}}, nil
	})
	register(a, huma.Operation{
		OperationID: "get-checkpoint", Method: http.MethodGet, Path: "/checkpoints/{id}",
		Summary: "Show a checkpoint", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *ByCheckpoint) (*body[sluice.Checkpoint], error) {
		found, err := a.Server.Visible(c).Checkpoint(ctx, in.ID)
		return &body[sluice.Checkpoint]{found}, err
	})
	register(a, huma.Operation{
		OperationID: "keep-checkpoint", Method: http.MethodPatch, Path: "/checkpoints/{id}",
		Summary: "Change until when a checkpoint is kept", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByCheckpoint
		Body Keep
	}) (*body[sluice.Checkpoint], error) {
		kept, err := a.Server.KeepCheckpoint(ctx, c, in.ID, in.Body.Until)
		return &body[sluice.Checkpoint]{kept}, err
	})
	register(a, huma.Operation{
		OperationID: "delete-checkpoint", Method: http.MethodDelete, Path: "/checkpoints/{id}",
		DefaultStatus: http.StatusNoContent,
		Summary:       "Delete a checkpoint and its copy of the data", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *ByCheckpoint) (*struct{}, error) {
		return nil, a.Server.DeleteCheckpoint(ctx, c, in.ID)
	})
	a.restores()
}

func (a *api) restores() {
	register(a, huma.Operation{
		OperationID: "plan-restore", Method: http.MethodPost, Path: "/checkpoints/{id}/restore/plan",
		Summary: "Show what putting a checkpoint back would take away", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByCheckpoint
		Body Restore
	}) (*body[RestorePlan], error) {
		p, loss, err := a.Server.PlanRestore(ctx, c, in.ID, in.Body.Target)
		if err != nil {
			return nil, err
		}
		return &body[RestorePlan]{RestorePlan{p, lossOf(p.Targets[0].Name, loss)}}, nil
	})
	register(a, huma.Operation{
		OperationID: "restore", Method: http.MethodPost, Path: "/checkpoints/{id}/restore", DefaultStatus: http.StatusCreated,
		Summary: "Start a deployment that puts a checkpoint back", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByCheckpoint
		Keyed
		Body Restore
	}) (*startedOutput, error) {
		return startedOf(a.Server.Restore(ctx, c, in.ID, in.Body.Target, in.Key))
	})
}
