package server

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/service"
)

// A PodName is where a pod is. Without an account it is that of the latest deployment to the namespace.
type PodName struct{ Account, Namespace, Name string }

// Pods is how a server reads the output of pods, without secrets that the server knows. A pod that does not exist is
// NotFound.
type Pods interface {
	// Logs is that of [sluice.Host].
	Logs(ctx context.Context, pod PodName, lines int) ([]string, error)
	// Tail is that of [sluice.Host].
	Tail(ctx context.Context, pod PodName) iter.Seq2[string, error]
}

// maxOutput bounds the output of a pod in one answer, in bytes. The newest lines stay.
const maxOutput = 16 << 20

// PodLogs returns the last lines of a pod. What a pod writes may hold data of the target, so the caller needs
// [access.ReadReports] for each target that was deployed to the namespace, or whose data a branch has there. In a
// namespace that holds nothing of Sluice, or also an application that the caller may not view, it takes
// [access.Administer].
func (s *Server) PodLogs(ctx context.Context, c access.Caller, pod PodName, lines int) ([]string, error) {
	pod, err := s.readable(ctx, c, pod)
	if err != nil {
		return nil, err
	}
	list, err := s.Pods.Logs(ctx, pod, lines)
	size := 0
	for i := len(list) - 1; i >= 0; i-- {
		if size += len(list[i]) + 1; size > maxOutput {
			return list[i+1:], err
		}
	}
	return list, err
}

// TailPod returns what yields the lines of a pod until it has ended: see [Server.PodLogs] for who may read them.
func (s *Server) TailPod(ctx context.Context, c access.Caller, pod PodName) (
	func(context.Context) iter.Seq2[string, error], error,
) {
	pod, err := s.readable(ctx, c, pod)
	return func(ctx context.Context) iter.Seq2[string, error] { return s.Pods.Tail(ctx, pod) }, err
}

// readable returns the pod with its account, for a caller who may read its output.
func (s *Server) readable(ctx context.Context, c access.Caller, pod PodName) (PodName, error) {
	if pod.Account == "" {
		account, err := service.AccountOf(ctx, s.Visible(c), pod.Namespace)
		if err != nil {
			return pod, err
		}
		pod.Account = cmp.Or(account, config.AccountLocal)
	}
	where := "the output of " + pod.Account + " " + pod.Namespace + "/" + pod.Name
	tenants, err := s.tenants(ctx, pod)
	if err != nil {
		return pod, err
	}
	hidden := slices.ContainsFunc(tenants, func(t tenant) bool { return !c.May(access.View, t.application, "") })
	if len(tenants) == 0 || hidden {
		return pod, s.Administer(ctx, c, where)
	}
	for _, t := range tenants {
		entry := sluice.AuditEntry{
			Verb: string(access.ReadReports), Application: t.application, Target: t.target, Reason: where,
		}
		if err := s.need(ctx, c, entry); err != nil {
			return pod, err
		}
	}
	return pod, nil
}

// A tenant is a target that has something in a namespace.
type tenant struct{ application, target string }

// tenants returns those of the namespace, each once.
func (s *Server) tenants(ctx context.Context, pod PodName) (list []tenant, err error) {
	all, err := s.Store.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	add := func(t tenant) {
		if !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	for _, d := range all {
		for e, err := range s.Store.Read(ctx, d.ID, 0) {
			if err != nil {
				return nil, err
			}
			for _, t := range e.Plan.Targets { // the first event has the plan
				if t.Account == pod.Account && t.Namespace == pod.Namespace {
					add(tenant{e.Plan.Application, t.Name})
				}
			}
			break
		}
	}
	err = s.Copies.Answering(ctx, func(a Answering) error {
		only := map[string]sluice.Account{}
		if account, answers := a.Accounts[pod.Account]; answers {
			only[pod.Account] = account
		}
		branches, _ := service.Branches(ctx, only)
		for _, b := range branches {
			if b.Namespace == pod.Namespace {
				add(tenant{b.Application, b.Target})
			}
		}
		return nil
	})
	return list, err
}
