package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/server"
)

// ByPod is the part of a request that names a pod.
type ByPod struct {
	Namespace string `path:"namespace"`
	Pod       string `path:"pod"`
	Account   string `query:"account" doc:"Absent: that of the latest deployment to the namespace"`
}

func (p ByPod) name() server.PodName {
	return server.PodName{Account: p.Account, Namespace: p.Namespace, Name: p.Pod}
}

// PodLog is what a pod wrote.
type PodLog struct {
	Lines []string `json:"lines" nullable:"false"`
}

// A PodLine is one line that a pod wrote.
type PodLine struct {
	Line string `json:"line"`
}

func (a *api) pods() {
	register(a, huma.Operation{
		OperationID: "read-pod", Method: http.MethodGet, Path: "/pods/{namespace}/{pod}/log",
		Summary: "Read the last lines that a pod wrote", Tags: []string{"pods"},
		Description: "At most 16 MiB, of which the newest lines stay.",
	}, func(ctx context.Context, c access.Caller, in *struct {
		ByPod
		Lines int `query:"lines" minimum:"0" maximum:"100000" default:"200"`
	}) (*body[PodLog], error) {
		lines, err := a.Server.PodLogs(ctx, c, in.name(), in.Lines)
		return &body[PodLog]{PodLog{append([]string{}, lines...)}}, err
	})
	op := huma.Operation{
		OperationID: "follow-pod", Method: http.MethodGet, Path: "/pods/{namespace}/{pod}/log/follow",
		Summary: "Follow what the first container of a pod writes", Tags: []string{"pods"},
		Description: "Server-Sent Events from the first line that is kept: line for each line, and last of all ended.",
	}
	registerStream(a, op, func(ctx context.Context, c access.Caller, in *ByPod) (*huma.StreamResponse, error) {
		lines, err := a.Server.TailPod(ctx, c, in.name())
		if err != nil {
			return nil, err
		}
		return streaming(func(ctx context.Context, s *stream) error {
			for line, err := range lines(ctx) {
				if err != nil {
					return err
				}
				s.event("line", "", PodLine{line})
			}
			if ctx.Err() == nil {
				s.event("ended", "", struct{}{})
			}
			return nil
		}), nil
	})
}
