package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/server"
)

// ByID is the part of a request that names a deployment.
type ByID struct {
	ID sluice.DeploymentID `path:"id" doc:"The deployment"`
}

// A Page is a part of a list of deployments.
type Page struct {
	Items []sluice.Deployment `json:"items" nullable:"false"`
	Next  sluice.DeploymentID `json:"next,omitempty" doc:"The cursor of the next page; absent: this is the last one"`
}

// Started is the answer to a request that begins a deployment.
type Started struct {
	ID       sluice.DeploymentID `json:"id"`
	Again    bool                `json:"again,omitempty" doc:"An earlier request with this idempotency key began it"`
	Warnings sluice.Diagnostics  `json:"warnings,omitempty" doc:"Findings that do not prevent a deployment"`
}

type startedOutput struct {
	Location string `header:"Location"`
	Body     Started
}

func startedOf(s server.Started, err error) (*startedOutput, error) {
	if err != nil {
		return nil, err
	}
	return &startedOutput{Prefix + "/deployments/" + string(s.ID), Started{s.ID, s.Again, s.Warnings}}, nil
}

// Keyed is the part of a request that makes it safe to repeat.
type Keyed struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"A repetition with the same key begins nothing new"`
}

type body[T any] struct{ Body T }

func (a *api) deployments() {
	a.listDeployments()
	register(a, huma.Operation{
		OperationID: "deploy", Method: http.MethodPost, Path: "/deployments", DefaultStatus: http.StatusCreated,
		MaxBodyBytes: maxBundle,
		Summary:      "Start a deployment of a bundle", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Keyed
		Body Bundle
	}) (*startedOutput, error) {
		return startedOf(a.Server.Deploy(ctx, c, in.Body.bundle(), in.Key))
	})
	register(a, huma.Operation{
		OperationID: "get-deployment", Method: http.MethodGet, Path: "/deployments/{id}",
		Summary: "Show a deployment with its steps, as it stands", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *ByID) (*body[present.Deployment], error) {
		state, err := engine.Fold(in.ID, a.Server.Visible(c).Read(ctx, in.ID, 0))
		if err != nil {
			return nil, err
		}
		return &body[present.Deployment]{present.DeploymentOf(state, true)}, nil
	})
	register(a, huma.Operation{
		OperationID: "retry", Method: http.MethodPost, Path: "/deployments/{id}/retry", DefaultStatus: http.StatusCreated,
		Summary: "Deploy again what a failed deployment was to deploy", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByID
		Keyed
	}) (*startedOutput, error) {
		return startedOf(a.Server.Retry(ctx, c, in.ID, in.Key))
	})
	a.events()
	a.watch()
	a.report()
}

func (a *api) listDeployments() {
	register(a, huma.Operation{
		OperationID: "list-deployments", Method: http.MethodGet, Path: "/deployments",
		Summary: "List deployments, the newest first", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		Application string              `query:"application" doc:"Only those of this application"`
		Unended     bool                `query:"unended" doc:"Only those that have not ended"`
		After       sluice.DeploymentID `query:"after" doc:"The cursor from the page before"`
		Limit       int                 `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*body[Page], error) {
		list, err := a.Server.Visible(c).Deployments(ctx, in.Application)
		if err != nil {
			return nil, err
		}
		out := &body[Page]{Page{Items: []sluice.Deployment{}}}
		for _, d := range list { // ids sort by time
			unfit := in.Unended && !d.EndedAt.IsZero() || in.After != "" && d.ID >= in.After
			if unfit {
				continue
			}
			if len(out.Body.Items) == in.Limit {
				out.Body.Next = out.Body.Items[in.Limit-1].ID
				break
			}
			out.Body.Items = append(out.Body.Items, d)
		}
		return out, nil
	})
}

// Events is a part of the log of a deployment.
type Events struct {
	Items []sluice.Event `json:"items" nullable:"false"`
	Next  sluice.Seq     `json:"next,omitempty" doc:"The number after which the next page begins; absent: this is the last"`
}

// maxEvents bounds a page of events in bytes of what they hold, roughly.
const maxEvents = 500

func (a *api) events() {
	register(a, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/deployments/{id}/events",
		Summary: "Read the log of a deployment", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByID
		After sluice.Seq `query:"after" minimum:"0" doc:"Begin after the event with this number"`
	}) (*body[Events], error) {
		out := &body[Events]{Events{Items: []sluice.Event{}}}
		for e, err := range a.Server.Visible(c).Read(ctx, in.ID, in.After) {
			if err != nil {
				return nil, err
			}
			if len(out.Body.Items) == maxEvents {
				out.Body.Next = out.Body.Items[maxEvents-1].Seq
				break
			}
			out.Body.Items = append(out.Body.Items, e)
		}
		return out, nil
	})
}

// Resuming is the part of a request for a stream that says where to begin.
type Resuming struct {
	After       int64  `query:"after" minimum:"0" doc:"Begin after the event with this number"`
	LastEventID string `header:"Last-Event-ID" doc:"The last event that was received; it wins over after"`
}

func (r Resuming) from() (int64, error) {
	if r.LastEventID == "" {
		return r.After, nil
	}
	after, err := strconv.ParseInt(r.LastEventID, 10, 64)
	if err != nil || after < 0 {
		return 0, sluice.Errorf(sluice.Invalid, "Last-Event-ID %q is not the number of an event", r.LastEventID)
	}
	return after, nil
}

func (a *api) watch() {
	op := huma.Operation{
		OperationID: "watch", Method: http.MethodGet, Path: "/deployments/{id}/watch",
		Summary: "Follow a deployment until it has ended", Tags: []string{"deployments"},
		Description: "Server-Sent Events: each recorded event is an \"event\" whose id is its number; what is shown but not " +
			"recorded is \"progress\"; \"error\" is a problem that ends the stream.",
	}
	registerStream(a, op, func(ctx context.Context, c access.Caller, in *struct {
		ByID
		Resuming
	}) (*huma.StreamResponse, error) {
		after, err := in.from()
		if err != nil {
			return nil, err
		}
		for _, err := range a.Server.Visible(c).Read(ctx, in.ID, 0) {
			if err != nil {
				return nil, err // as long as a status can say it
			}
			break
		}
		return streaming(func(ctx context.Context, s *stream) error {
			for u, err := range a.Server.Watch(ctx, c, in.ID, sluice.Seq(after)) {
				if err != nil {
					return err
				}
				if u.Event != nil {
					s.event("event", strconv.FormatInt(int64(u.Event.Seq), 10), u)
				} else {
					s.event("progress", "", u)
				}
			}
			return nil
		}), nil
	})
}

// registerStream is register for an operation that sends events.
func registerStream[I any](
	a *api, op huma.Operation, do func(context.Context, access.Caller, *I) (*huma.StreamResponse, error),
) {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "Server-Sent Events", Content: map[string]*huma.MediaType{"text/event-stream": {}},
	}}
	register(a, op, do)
}

func (a *api) report() {
	register(a, huma.Operation{
		OperationID: "get-report", Method: http.MethodGet, Path: "/deployments/{id}/report",
		Summary: "Read what a verification found in the data", Tags: []string{"deployments"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByID
		Step sluice.StepID `query:"step" required:"true" doc:"The step that verified"`
	}) (*body[sluice.Verification], error) {
		v, err := a.Server.Report(ctx, c, in.ID, in.Step)
		if err != nil {
			return nil, err
		}
		return &body[sluice.Verification]{v}, nil
	})
}
