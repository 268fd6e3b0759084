package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// maxPlan bounds a plan with its manifests.
const maxPlan = 64 << 20

// handovers are offered only where every caller has the key of the server.
func (a *api) handovers() {
	register(a, huma.Operation{
		OperationID: "hand-over", Method: http.MethodPost, Path: "/handovers", DefaultStatus: http.StatusCreated,
		MaxBodyBytes: maxPlan, SkipValidateBody: true, // it was written by this program
		Summary: "Start a plan that was compiled and sealed elsewhere", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct{ RawBody []byte }) (*startedOutput, error) {
		var p *sluice.Plan
		if err := json.Unmarshal(in.RawBody, &p); err != nil || p == nil {
			return nil, sluice.Errorf(sluice.Invalid, "the request has no plan that can be read")
		}
		return startedOf(a.Server.HandOver(ctx, c, p))
	})
}

// HandOver starts a plan: see [Config.Owned].
func (c *Client) HandOver(ctx context.Context, p *sluice.Plan) (sluice.DeploymentID, error) {
	var out Started
	err := c.do(ctx, call{method: http.MethodPost, path: "/handovers", body: p}, &out)
	return out.ID, err
}
