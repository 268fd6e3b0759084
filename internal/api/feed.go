package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// A Newest is the end of the feed.
type Newest struct {
	Cursor sluice.Cursor `json:"cursor" doc:"0 if there is no event"`
}

func (a *api) feed() {
	register(a, huma.Operation{
		OperationID: "get-newest", Method: http.MethodGet, Path: "/feed/newest",
		Summary: "Show the cursor of the newest event", Tags: []string{"feed"},
	}, func(ctx context.Context, c access.Caller, _ *struct{}) (*body[Newest], error) {
		newest, err := a.Server.Visible(c).Newest(ctx)
		return &body[Newest]{Newest{newest}}, err
	})
	op := huma.Operation{
		OperationID: "follow-feed", Method: http.MethodGet, Path: "/feed",
		Summary: "Follow the events of all deployments", Tags: []string{"feed"},
		Description: "Server-Sent Events in the order in which they were committed, the events of the past first. The id " +
			"of each is its cursor. Events of deployments that the caller may not view are left out.",
	}
	registerStream(a, op, func(_ context.Context, c access.Caller, in *Resuming) (*huma.StreamResponse, error) {
		after, err := in.from()
		if err != nil {
			return nil, err
		}
		return streaming(func(ctx context.Context, s *stream) error {
			for entry, err := range a.Server.Visible(c).Tail(ctx, sluice.Cursor(after)) {
				if err != nil {
					return err
				}
				s.event("event", strconv.FormatInt(int64(entry.Cursor), 10), entry)
			}
			return nil
		}), nil
	})
}
