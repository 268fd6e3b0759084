package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// A History lists what targets run and ran.
type History struct {
	Items []present.Past `json:"items" nullable:"false"`
}

func (a *api) applications() {
	register(a, huma.Operation{
		OperationID: "get-history", Method: http.MethodGet, Path: "/history",
		Summary: "Show what each target runs and ran before", Tags: []string{"applications"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Application string `query:"application" doc:"Only the targets of this application"`
	}) (*body[History], error) {
		list, err := service.History(ctx, a.Server.Visible(c), in.Application)
		if err != nil {
			return nil, err
		}
		return &body[History]{History{present.PastsOf(list)}}, nil
	})
}
