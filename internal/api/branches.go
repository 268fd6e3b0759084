package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
)

// ByBranch is the part of a request that names a branch.
type ByBranch struct {
	Account   string `path:"account" doc:"The account of the branch"`
	Namespace string `path:"namespace" doc:"The namespace of the branch"`
}

// A BranchRequest asks for a branch.
type BranchRequest struct {
	Checkpoint string `json:"checkpoint" doc:"An id or its start"`
	Account    string `json:"account"`
	Namespace  string `json:"namespace" doc:"It must not exist"`
	Name       string `json:"name"`
	Seconds    int64  `json:"seconds" doc:"How long from now the branch stays"`
}

// Branches is a list of branches.
type Branches struct {
	Items  []sluice.Branch `json:"items" nullable:"false"`
	Silent []SilentAccount `json:"silent,omitempty" doc:"Accounts that cannot be asked and may have more"`
}

// A SilentAccount is one that cannot be asked.
type SilentAccount struct {
	Account string   `json:"account"`
	Problem *Problem `json:"problem"`
}

// An Extension says until when a branch stays.
type Extension struct {
	Until time.Time `json:"until"`
}

func (a *api) branches() {
	branches := []string{"branches"}
	register(a, huma.Operation{
		OperationID: "list-branches", Method: http.MethodGet, Path: "/branches",
		Summary: "List the branches in all accounts", Tags: branches,
	}, func(ctx context.Context, c access.Caller, _ *struct{}) (*body[Branches], error) {
		list, silent, err := a.Server.Branches(ctx, c)
		out := &body[Branches]{Branches{Items: list}}
		for _, name := range slices.Sorted(maps.Keys(silent)) {
			out.Body.Silent = append(out.Body.Silent, SilentAccount{name, problemOf(silent[name])})
		}
		return out, err
	})
	registerWork(a, huma.Operation{
		OperationID: "make-branch", Method: http.MethodPost, Path: "/branches",
		Summary: "Make a copy of a checkpoint to work with", Tags: branches,
	}, func(ctx context.Context, c access.Caller, in *struct {
		Keyed
		Body BranchRequest
	}) (*server.Work, error) {
		q := in.Body
		return a.Server.MakeBranch(ctx, c, server.BranchRequest{
			Checkpoint: q.Checkpoint, Account: q.Account, Namespace: q.Namespace, Name: q.Name,
			Lasts: time.Duration(q.Seconds) * time.Second,
		}, in.Key)
	})
	register(a, huma.Operation{
		OperationID: "get-branch", Method: http.MethodGet, Path: "/branches/{account}/{namespace}",
		Summary: "Show a branch and how it is reached", Tags: branches,
	}, func(ctx context.Context, c access.Caller, in *ByBranch) (*body[service.ReachedBranch], error) {
		b, err := a.Server.Branch(ctx, c, in.Account, in.Namespace)
		return &body[service.ReachedBranch]{b}, err
	})
	register(a, huma.Operation{
		OperationID: "extend-branch", Method: http.MethodPatch, Path: "/branches/{account}/{namespace}",
		Summary: "Change until when a branch stays", Tags: branches,
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByBranch
		Body Extension
	}) (*body[sluice.Branch], error) {
		b, err := a.Server.ExtendBranch(ctx, c, in.Account, in.Namespace, in.Body.Until)
		return &body[sluice.Branch]{b}, err
	})
	register(a, huma.Operation{
		OperationID: "delete-branch", Method: http.MethodDelete, Path: "/branches/{account}/{namespace}",
		DefaultStatus: http.StatusNoContent,
		Summary:       "Delete a branch with everything in its namespace", Tags: branches,
	}, func(ctx context.Context, c access.Caller, in *ByBranch) (*struct{}, error) {
		return nil, a.Server.DeleteBranch(ctx, c, in.Account, in.Namespace)
	})
}
