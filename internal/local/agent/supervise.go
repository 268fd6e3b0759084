package agent

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice/internal/local/process"
)

const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	healthyAfter = time.Minute
)

// supervise keeps one container running until it must end or its restart policy says that it is done.
func (a *Agent) supervise(p *pod, c *container) {
	backoff := firstBackoff
	for c.ctx.Err() == nil || c.rec.Process != nil {
		if a.over(p, c) {
			return
		}
		began := time.Now()
		proc, err := a.startOrAdopt(p, c)
		if errors.Is(err, errLost) { // it ended while no agent looked
			a.exited(p, c, a.exitCode(p, c, process.Unknown), "")
			continue
		}
		if err != nil {
			a.fault(c, err.Error())
		}
		if err == nil && !a.attend(p, c, proc) {
			return
		}
		if a.over(p, c) {
			return
		}
		if time.Since(began) >= healthyAfter {
			backoff = firstBackoff
		}
		if !pause(c.ctx, backoff) {
			return
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// attend watches a running process until it has ended; false means that the agent is leaving.
func (a *Agent) attend(p *pod, c *container, proc *process.Process) bool {
	ctx, cancel := context.WithCancel(c.ctx)
	probing := a.startProbes(ctx, p, c)
	reason := ""
	select {
	case <-proc.Done():
	case reason = <-c.kill:
	case <-c.ctx.Done():
	}
	cancel()
	probing.Wait()
	if a.ctx.Err() != nil {
		return false
	}
	a.setUnready(c, reason)
	a.terminate(p, c, proc, reason)
	a.exited(p, c, a.exitCode(p, c, proc.ExitCode()), reason)
	return true
}

// terminate asks the process to end, waits for the rest of the grace period, and then kills it with all its children.
func (a *Agent) terminate(p *pod, c *container, proc *process.Process, reason string) {
	deadline := time.Now().Add(p.grace())
	a.mu.Lock()
	if reason == "" && p.stopping() {
		deadline = p.StoppingAt.Add(p.grace())
	}
	a.mu.Unlock()
	if err := proc.ID.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		a.log.Error("signal", "pod", p.Name, "error", err)
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-proc.Done():
	case <-timer.C:
	}
	if err := process.Kill(containerMark(p.UID, c.spec.Name)); err != nil {
		a.log.Error("kill", "pod", p.Name, "error", err)
	}
	<-proc.Done()
}

// exited records the end of a process, and why it was ended if it was, before another may be started.
func (a *Agent) exited(p *pod, c *container, code int, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.rec.Process, c.rec.ExitCode = nil, &code
	if c.faults++; time.Since(c.rec.StartedAt) >= healthyAfter {
		c.faults = 1
	}
	c.rec.Ended = !restarts(p.policy(c), code)
	if !c.rec.Ended && !p.stopping() && c.ctx.Err() == nil {
		c.rec.Restarts++
		p.LastEnd = p.ending(c, code, why)
		defer a.reportRestart(p)
	}
	c.ready, c.started, c.reason = false, false, exitedWith(code)
	if err := a.save(p); err != nil {
		a.log.Error("save pod", "pod", p.Name, "error", err)
	}
	a.route()
	a.wake()
}

// ending describes the end of a process.
func (p *pod) ending(c *container, code int, why string) string {
	text := "it ended"
	if code != process.Unknown {
		text += " with status " + strconv.Itoa(code)
	}
	if len(p.containers) > 1 {
		text = "container " + c.spec.Name + ": " + text
	}
	if why != "" {
		text += ": " + why
	}
	return text
}

// reportRestart shows the workload of a restarted pod to watchers again. The mutex is held.
func (a *Agent) reportRestart(p *pod) {
	e := a.store.objects[key{p.Owner.Kind, p.Namespace, p.Owner.Name}]
	if e == nil || e.uid() != p.Owner.UID {
		return
	}
	if err := a.store.put(e); err != nil {
		a.log.Error("report a restart", "pod", p.Name, "error", err)
	}
}

func restarts(policy corev1.RestartPolicy, code int) bool {
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return code != 0
	}
	return true
}

// over reports whether the container will not be started again. In a pod that stops nothing is.
func (a *Agent) over(p *pod, c *container) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.rec.Ended || p.stopping() && c.rec.Process == nil
}

func (a *Agent) setUnready(c *container, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.ready = false
	if reason != "" {
		c.reason = reason
	}
	a.route()
}

// fault records why the process did not start.
func (a *Agent) fault(c *container, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.reason = reason
	c.faults++
	a.wake()
}

// pause waits; false means that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
