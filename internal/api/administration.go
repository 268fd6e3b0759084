package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// An Audit is a part of the audit.
type Audit struct {
	Items []sluice.AuditEntry `json:"items" nullable:"false"`
	Next  int64               `json:"next,omitempty" doc:"Before which the next page begins; absent: this is the last"`
}

func (a *api) administration() {
	huma.Register(a.huma, huma.Operation{
		OperationID: "get-identity", Method: http.MethodGet, Path: "/identity",
		Summary: "Show how callers prove who they are", Tags: []string{"administration"},
	}, func(context.Context, *struct{}) (*body[access.Discovery], error) {
		return &body[access.Discovery]{a.Identity()}, nil
	})
	register(a, huma.Operation{
		OperationID: "get-caller", Method: http.MethodGet, Path: "/caller",
		Summary: "Show who the caller is", Tags: []string{"administration"},
	}, func(_ context.Context, c access.Caller, _ *struct{}) (*body[sluice.Actor], error) {
		return &body[sluice.Actor]{c.Actor}, nil
	})
	register(a, huma.Operation{
		OperationID: "list-accounts", Method: http.MethodGet, Path: "/accounts",
		Summary: "Report whether what deployments rely on is healthy", Tags: []string{"administration"},
	}, func(ctx context.Context, c access.Caller, _ *struct{}) (*body[Diagnosis], error) {
		checks, err := a.Server.Accounts(ctx, c)
		return &body[Diagnosis]{Diagnosis{checks}}, err
	})
	register(a, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/audit",
		Summary: "List who was allowed or forbidden to do what, the newest first", Tags: []string{"administration"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Application string `query:"application"`
		Before      int64  `query:"before" minimum:"0" doc:"Begin with entries of lower numbers"`
		Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*body[Audit], error) {
		list, err := a.Server.Entries(ctx, c, in.Application, in.Before, in.Limit)
		if err != nil {
			return nil, err
		}
		out := &body[Audit]{Audit{Items: append([]sluice.AuditEntry{}, list...)}}
		if len(list) == in.Limit {
			out.Body.Next = list[len(list)-1].Number
		}
		return out, nil
	})
}
