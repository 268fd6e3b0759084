package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/server"
)

// A WorkProgress is what a piece of work says of itself: a message, or how far it is.
type WorkProgress struct {
	Message string         `json:"message,omitempty"`
	Amount  *sluice.Amount `json:"amount,omitempty"`
}

// An Outcome is the last event of a piece of work.
type Outcome struct {
	Result  any      `json:"result,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// following describes how the client hears of a piece of work.
const following = "The answer is a stream of Server-Sent Events: progress, and last of all ended, with the result or " +
	"the problem. The server goes on with the work when the connection breaks; a request with the same idempotency key " +
	"follows it again, also after it has ended."

// registerWork is register for an operation that begins a piece of work.
func registerWork[I any](
	a *api, op huma.Operation, begin func(context.Context, access.Caller, *I) (*server.Work, error),
) {
	op.Description = following
	registerStream(a, op, func(ctx context.Context, c access.Caller, in *I) (*huma.StreamResponse, error) {
		work, err := begin(ctx, c, in)
		if err != nil {
			return nil, err
		}
		return streaming(func(ctx context.Context, s *stream) error {
			result, err := work.Follow(ctx, func(p sluice.Progress) {
				s.event("progress", "", WorkProgress{p.Message, p.Amount})
			})
			if ctx.Err() != nil {
				return nil // the reader went away, or the server stops
			}
			out := Outcome{Result: result}
			if err != nil {
				out.Problem = problemOf(err)
			}
			s.event("ended", "", out)
			return nil
		}), nil
	})
}

func (a *api) verification() {
	registerWork(a, huma.Operation{
		OperationID: "verify-checkpoint", Method: http.MethodPost, Path: "/checkpoints/{id}/verification",
		Summary: "Prove that a checkpoint can be restored", Tags: []string{"checkpoints"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByCheckpoint
		Keyed
	}) (*server.Work, error) {
		return a.Server.VerifyCheckpoint(ctx, c, in.ID, in.Key)
	})
}

func (a *api) reaping() {
	registerWork(a, huma.Operation{
		OperationID: "reap", Method: http.MethodPost, Path: "/reaping",
		Summary: "Delete checkpoints, branches and copies that have expired", Tags: []string{"administration"},
	}, func(ctx context.Context, c access.Caller, in *Keyed) (*server.Work, error) {
		return a.Server.Reap(ctx, c, in.Key)
	})
}
