package pages

import (
	"context"
	"iter"
	"net/http"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/service"
)

// A Reader answers what a caller may see. What the caller may not see does not exist for the caller.
type Reader interface {
	// Caller says who sent the request. Unauthenticated: nobody that the server knows.
	Caller(r *http.Request) (access.Caller, error)
	// Visible returns a store that holds what the caller may view. Nothing can be written to it.
	Visible(c access.Caller) sluice.Store
	// Watch is that of an engine: see [engine.Engine.Watch].
	Watch(
		ctx context.Context, c access.Caller, id sluice.DeploymentID, after sluice.Seq,
	) iter.Seq2[engine.Update, error]
	// Accounts examines the accounts and metric providers of the server. Denied: the caller may not know.
	Accounts(ctx context.Context, c access.Caller) ([]service.Check, error)
	// Entries lists the audit log: see [sluice.Audit]. Denied: the caller may not know.
	Entries(
		ctx context.Context, c access.Caller, application string, before int64, most int,
	) ([]sluice.AuditEntry, error)
}

// An Operator does what a caller asks for, if the caller may. Otherwise the error is Denied.
type Operator interface {
	// Signal sends the signal in the caller's name: see [engine.Engine.Signal].
	Signal(ctx context.Context, c access.Caller, id sluice.DeploymentID, sig sluice.Signal) error
	// PlanRollback says what a rollback would do, and changes nothing: see [service.PlanRollback].
	PlanRollback(ctx context.Context, c access.Caller, q service.RollbackRequest) (*service.Rollback, error)
	// Rollback begins it, and returns the deployment that does it.
	Rollback(ctx context.Context, c access.Caller, q service.RollbackRequest) (sluice.DeploymentID, error)
	// Retry deploys the plan of a deployment again, and returns the new one: see [service.PlanRetry].
	Retry(ctx context.Context, c access.Caller, id sluice.DeploymentID) (sluice.DeploymentID, error)
}
