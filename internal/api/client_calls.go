package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

func deploymentPath(id sluice.DeploymentID, rest string) string {
	return "/deployments/" + url.PathEscape(string(id)) + rest
}

func checkpointPath(id, rest string) string { return "/checkpoints/" + url.PathEscape(id) + rest }

// Identity returns how the server wants callers to prove who they are. It needs no token.
func (c *Client) Identity(ctx context.Context) (out Identity, err error) {
	open := *c
	open.token = func(context.Context) (string, error) { return "", nil }
	err = open.do(ctx, call{method: http.MethodGet, path: "/identity"}, &out)
	return out, err
}

// Caller returns who the server takes this client for.
func (c *Client) Caller(ctx context.Context) (out sluice.Actor, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: "/caller"}, &out)
	return out, err
}

// Validate returns the findings in the bundle.
func (c *Client) Validate(ctx context.Context, b service.Bundle, manifests bool) (sluice.Diagnostics, error) {
	var out Validation
	query := url.Values{"fileOnly": {strconv.FormatBool(!manifests)}}
	err := c.do(ctx, call{method: http.MethodPost, path: "/validations", query: query, body: bundleOf(b), key: newKey()}, &out)
	return out.Diagnostics, err
}

// Plan returns the plan of the bundle, and what its steps would do unless offline is true.
func (c *Client) Plan(ctx context.Context, b service.Bundle, offline bool) (out Planned, err error) {
	query := url.Values{"offline": {strconv.FormatBool(offline)}}
	err = c.do(ctx, call{method: http.MethodPost, path: "/plans", query: query, body: bundleOf(b), key: newKey()}, &out)
	return out, err
}

// Deploy starts a deployment of the bundle.
func (c *Client) Deploy(ctx context.Context, b service.Bundle) (Started, error) {
	return c.DeployWith(ctx, b, newKey())
}

// DeployWith is Deploy with an idempotency key of the caller, who may repeat it after a crash.
func (c *Client) DeployWith(ctx context.Context, b service.Bundle, key string) (out Started, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: "/deployments", body: bundleOf(b), key: key}, &out)
	return out, err
}

// Retry deploys again what a deployment was to deploy.
func (c *Client) Retry(ctx context.Context, id sluice.DeploymentID) (Started, error) {
	return c.start(ctx, deploymentPath(id, "/retry"), nil)
}

// Rollback goes back to the release before.
func (c *Client) Rollback(ctx context.Context, r Rollback) (Started, error) {
	return c.start(ctx, "/rollbacks", r)
}

// PlanRollback says what going back would mean.
func (c *Client) PlanRollback(ctx context.Context, r Rollback) (out RollbackPlan, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: "/rollbacks/plan", body: r, key: newKey()}, &out)
	return out, err
}

// Restore starts a deployment that puts a checkpoint back.
func (c *Client) Restore(ctx context.Context, checkpoint, target string) (Started, error) {
	return c.start(ctx, checkpointPath(checkpoint, "/restore"), Restore{target})
}

// PlanRestore says what putting a checkpoint back would take away.
func (c *Client) PlanRestore(ctx context.Context, checkpoint, target string) (out RestorePlan, err error) {
	path := checkpointPath(checkpoint, "/restore/plan")
	err = c.do(ctx, call{method: http.MethodPost, path: path, body: Restore{target}, key: newKey()}, &out)
	return out, err
}

func (c *Client) start(ctx context.Context, path string, body any) (out Started, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: path, body: body, key: newKey()}, &out)
	return out, err
}

// Signal tells a deployment what the caller decided.
func (c *Client) Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error {
	body := SignalRequest{Kind: sig.Kind, Step: sig.Step, Target: sig.Target, Reason: sig.Reason, Roles: sig.By.Roles}
	return c.do(ctx, call{method: http.MethodPost, path: deploymentPath(id, "/signals"), body: body, key: newKey()}, nil)
}

// Reopen goes on with an undo that failed. It is not repeated: the second time is a Conflict.
func (c *Client) Reopen(ctx context.Context, id sluice.DeploymentID, reason string) error {
	return c.do(ctx, call{method: http.MethodPost, path: deploymentPath(id, "/reopening"), body: Reason{reason}}, nil)
}

// Report returns what a verification found.
func (c *Client) Report(
	ctx context.Context, id sluice.DeploymentID, step sluice.StepID,
) (out sluice.Verification, err error) {
	query := url.Values{"step": {string(step)}}
	err = c.do(ctx, call{method: http.MethodGet, path: deploymentPath(id, "/report"), query: query}, &out)
	return out, err
}

// KeepCheckpoint changes until when a checkpoint is kept, the zero time for good.
func (c *Client) KeepCheckpoint(
	ctx context.Context, id sluice.CheckpointID, until time.Time,
) (out sluice.Checkpoint, err error) {
	path := checkpointPath(string(id), "")
	err = c.do(ctx, call{method: http.MethodPatch, path: path, body: Keep{until}, key: newKey()}, &out)
	return out, err
}

// DeleteCheckpoint deletes a checkpoint and its copy.
func (c *Client) DeleteCheckpoint(ctx context.Context, id sluice.CheckpointID) error {
	return c.do(ctx, call{method: http.MethodDelete, path: checkpointPath(string(id), "")}, nil)
}

// Accounts reports whether what deployments rely on is healthy.
func (c *Client) Accounts(ctx context.Context) ([]service.Check, error) {
	var out Diagnosis
	err := c.do(ctx, call{method: http.MethodGet, path: "/accounts"}, &out)
	return out.Checks, err
}

// Doctor reports what is missing before the bundle can be deployed.
func (c *Client) Doctor(ctx context.Context, b service.Bundle) ([]service.Check, error) {
	var out Diagnosis
	err := c.do(ctx, call{method: http.MethodPost, path: "/diagnoses", body: bundleOf(b), key: newKey()}, &out)
	return out.Checks, err
}

// Audit lists who was allowed or forbidden what: see [sluice.Audit].
func (c *Client) Audit(ctx context.Context, application string, before int64, most int) ([]sluice.AuditEntry, error) {
	var out Audit
	query := url.Values{
		"application": {application}, "before": {strconv.FormatInt(before, 10)}, "limit": {strconv.Itoa(most)},
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/audit", query: query}, &out)
	return out.Items, err
}
