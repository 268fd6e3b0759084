package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// A Validation lists the findings in a bundle.
type Validation struct {
	Valid       bool               `json:"valid"`
	Diagnostics sluice.Diagnostics `json:"diagnostics" nullable:"false"`
}

// A Planned is the plan of a bundle.
type Planned struct {
	service.PlanPreview
	Warnings sluice.Diagnostics `json:"warnings,omitempty"`
}

// A Diagnosis is what was examined for a deployment.
type Diagnosis struct {
	Checks []service.Check `json:"checks" nullable:"false"`
}

func (a *api) bundles() {
	register(a, huma.Operation{
		OperationID: "validate", Method: http.MethodPost, Path: "/validations", MaxBodyBytes: maxBundle,
		Summary: "Report everything that is wrong with a bundle", Tags: []string{"bundles"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		FileOnly bool `query:"fileOnly" doc:"Check only the deploy file, not its manifests"`
		Body     Bundle
	}) (*body[Validation], error) {
		ds, err := a.Server.Validate(ctx, c, in.Body.bundle(), !in.FileOnly)
		if err != nil {
			return nil, err
		}
		return &body[Validation]{Validation{!ds.HasErrors(), append(sluice.Diagnostics{}, ds...)}}, nil
	})
	register(a, huma.Operation{
		OperationID: "plan", Method: http.MethodPost, Path: "/plans", MaxBodyBytes: maxBundle,
		Summary: "Show what a deployment of a bundle would do", Tags: []string{"bundles"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Offline bool `query:"offline" doc:"Ask no account what each step would change"`
		Body    Bundle
	}) (*body[Planned], error) {
		preview, warnings, err := a.Server.Plan(ctx, c, in.Body.bundle(), in.Offline)
		if err != nil {
			return nil, err
		}
		return &body[Planned]{Planned{preview, warnings}}, nil
	})
	register(a, huma.Operation{
		OperationID: "examine", Method: http.MethodPost, Path: "/diagnoses", MaxBodyBytes: maxBundle,
		Summary: "Report what is missing before a bundle can be deployed", Tags: []string{"bundles"},
	}, func(ctx context.Context, c access.Caller, in *struct{ Body Bundle }) (*body[Diagnosis], error) {
		checks, err := a.Server.Doctor(ctx, c, in.Body.bundle())
		if err != nil {
			return nil, err
		}
		return &body[Diagnosis]{Diagnosis{checks}}, nil
	})
}
