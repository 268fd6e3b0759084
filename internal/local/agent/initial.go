package agent

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// A role says when a container of a pod runs.
type role int

const (
	lasting role = iota // from when the init containers are done to the end of the pod
	initial             // to its own end, before the next one begins
	sidecar             // an init container that is always restarted: from its turn to the end of the lasting ones
)

func roleOf(c corev1.Container, isInit bool) role {
	switch {
	case !isInit:
		return lasting
	case c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways:
		return sidecar
	}
	return initial
}

// policy says when a container that has ended is started again.
func (p *pod) policy(c *container) corev1.RestartPolicy {
	switch {
	case c.role == sidecar:
		return corev1.RestartPolicyAlways
	case c.role == initial && p.Spec.RestartPolicy != corev1.RestartPolicyNever:
		return corev1.RestartPolicyOnFailure
	}
	return p.Spec.RestartPolicy
}

func (p *pod) inRole(r role) []*container {
	return slices.DeleteFunc(slices.Clone(p.containers), func(c *container) bool { return c.role != r })
}

// superviseAll runs the containers of the pod as Kubernetes does: the init containers in their order, then the lasting
// ones together, and at last it ends the sidecars in the reverse order.
func (a *Agent) superviseAll(p *pod) {
	var sidecars sidecars
	defer sidecars.end()
	for _, c := range p.containers[len(p.Spec.Containers):] {
		if c.role == sidecar {
			sidecars.begin(func() { a.supervise(p, c) }, c)
			select {
			case <-c.up:
				continue
			case <-p.ctx.Done():
				return
			}
		}
		if a.supervise(p, c); !a.hasSucceeded(c) {
			return
		}
	}
	var all sync.WaitGroup
	for _, c := range p.inRole(lasting) {
		all.Go(func() { a.supervise(p, c) })
	}
	all.Wait()
}

func (a *Agent) hasSucceeded(c *container) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.hasSucceeded()
}

func (c *container) hasSucceeded() bool {
	return c.rec.Ended && c.rec.ExitCode != nil && *c.rec.ExitCode == 0
}

// sidecars are those of one pod that have begun.
type sidecars struct {
	begun []*container
	done  []chan struct{}
}

func (s *sidecars) begin(supervise func(), c *container) {
	done := make(chan struct{})
	s.begun, s.done = append(s.begun, c), append(s.done, done)
	go func() { defer close(done); supervise() }()
}

// end ends them and returns when nothing of them runs. An agent that leaves its pods behind only stops to supervise.
func (s *sidecars) end() {
	for i := len(s.begun) - 1; i >= 0; i-- {
		s.begun[i].end()
		<-s.done[i]
	}
}
