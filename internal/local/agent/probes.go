package agent

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/local/probe"
)

// firstProbe is how soon a container that has never answered is asked again. The pause doubles up to the probe's
// period, so that a container that starts quickly is used quickly.
const firstProbe = 100 * time.Millisecond

// settling is how long the process of a container without a readiness probe runs before the container is ready: a
// process that ends at once never is. A kubelet also takes about as long until it sees that a process runs.
const settling = time.Second

// startProbes runs the container's probes until ctx ends.
func (a *Agent) startProbes(ctx context.Context, p *pod, c *container) *sync.WaitGroup {
	var all sync.WaitGroup
	all.Go(func() {
		if c.spec.StartupProbe != nil && !a.awaitStartup(ctx, p, c) {
			return
		}
		a.setStarted(p, c)
		if c.spec.LivenessProbe != nil {
			all.Go(func() { a.watchLiveness(ctx, p, c) })
		}
		if c.spec.ReadinessProbe == nil {
			if a.pauseSinceStart(ctx, c, settling) {
				a.setReady(p, c, true, "")
			}
			return
		}
		a.watchReadiness(ctx, p, c)
	})
	return &all
}

// awaitStartup gives the container failureThreshold periods to succeed, whatever the number of tries; after
// that it is killed.
func (a *Agent) awaitStartup(ctx context.Context, p *pod, c *container) bool {
	t := probe.TimingOf(c.spec.StartupProbe)
	if !a.pauseSinceStart(ctx, c, t.InitialDelay) {
		return false
	}
	deadline := time.Now().Add(time.Duration(t.Failures) * t.Period)
	for wait := firstProbe; ; wait = min(2*wait, t.Period) {
		err := a.ask(ctx, p, c, c.spec.StartupProbe)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		a.setReady(p, c, false, "startup probe: "+err.Error())
		if time.Now().Add(wait).After(deadline) {
			a.order(c, "the startup probe did not succeed in time: "+err.Error())
			return false
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}

func (a *Agent) watchLiveness(ctx context.Context, p *pod, c *container) {
	t := probe.TimingOf(c.spec.LivenessProbe)
	if !a.pauseSinceStart(ctx, c, t.InitialDelay) {
		return
	}
	for failures := 0; ; {
		err := a.ask(ctx, p, c, c.spec.LivenessProbe)
		if ctx.Err() != nil {
			return
		}
		failures++
		if err == nil {
			failures = 0
		}
		if failures >= t.Failures {
			a.order(c, "the liveness probe failed: "+err.Error())
			return
		}
		if !pause(ctx, t.Period) {
			return
		}
	}
}

func (a *Agent) watchReadiness(ctx context.Context, p *pod, c *container) {
	t := probe.TimingOf(c.spec.ReadinessProbe)
	if !a.pauseSinceStart(ctx, c, t.InitialDelay) {
		return
	}
	successes, failures, wait := 0, 0, firstProbe
	for {
		err := a.ask(ctx, p, c, c.spec.ReadinessProbe)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			successes, failures = successes+1, 0
		}
		if err != nil {
			successes, failures = 0, failures+1
		}
		if successes >= t.Successes {
			a.setReady(p, c, true, "")
			wait = t.Period
		}
		if failures >= t.Failures || failures > 0 && !a.isReady(c) {
			a.setReady(p, c, false, "readiness probe: "+err.Error())
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, t.Period)
	}
}

// ask runs the probe once. It does not ask a pod that is frozen for a Cut.
func (a *Agent) ask(ctx context.Context, p *pod, c *container, pr *corev1.Probe) error {
	began := time.Now()
	if a.frozenSince(p, began) {
		return nil
	}
	asked, cancel := context.WithTimeout(ctx, probe.TimingOf(pr).Timeout)
	defer cancel()
	err := a.target(p, c).Ask(asked, pr.ProbeHandler)
	if err != nil && a.frozenSince(p, began) {
		return nil
	}
	return err
}

func (a *Agent) target(p *pod, c *container) probe.Target {
	return probe.Target{Host: p.IP, Ports: c.spec.Ports, Exec: func(ctx context.Context, command []string) error {
		_, err := a.execIn(ctx, p, c, command)
		return err
	}}
}

// preStop runs the container's hook and waits for its end; its result does not matter.
func (a *Agent) preStop(ctx context.Context, p *pod, c *container) {
	hook := c.spec.Lifecycle.PreStop
	if hook.Sleep != nil {
		pause(ctx, time.Duration(hook.Sleep.Seconds)*time.Second)
		return
	}
	h := corev1.ProbeHandler{Exec: hook.Exec, HTTPGet: hook.HTTPGet}
	if err := a.target(p, c).Ask(ctx, h); err != nil {
		a.log.Warn("preStop", "pod", p.Name, "container", c.spec.Name, "error", err)
	}
}

// order kills the container; its restart policy says whether it starts again.
func (a *Agent) order(c *container, reason string) {
	select {
	case c.kill <- reason:
	default:
	}
}

// frozenSince reports whether the pod is frozen, or was at any time since.
func (a *Agent) frozenSince(p *pod, since time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.frozen || p.thawedAt.After(since)
}

// pauseSinceStart waits until the container's process has run for so long, which may be before this agent began.
func (a *Agent) pauseSinceStart(ctx context.Context, c *container, d time.Duration) bool {
	a.mu.Lock()
	started := c.rec.StartedAt
	a.mu.Unlock()
	return pause(ctx, time.Until(started.Add(d)))
}

func (a *Agent) isReady(c *container) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.ready
}

func (a *Agent) setStarted(p *pod, c *container) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.started = true; !c.hasBeenUp() {
		close(c.up)
	}
	p.Phase = corev1.PodRunning
}

// hasBeenUp reports whether the container has started before. The mutex is held.
func (c *container) hasBeenUp() bool {
	select {
	case <-c.up:
		return true
	default:
		return false
	}
}

func (a *Agent) setReady(p *pod, c *container, ready bool, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.reason = reason
	if c.ready == ready {
		return
	}
	c.ready = ready
	if p.ready() {
		p.readySince = time.Now()
	}
	a.route()
	a.wake()
}
