package agent

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/local/process"
)

func sortPods(pods []*pod) {
	slices.SortFunc(pods, func(a, b *pod) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Name, b.Name))
	})
}

// create records a pod and starts it. The mutex is held.
func (a *Agent) create(r record) (*pod, error) {
	ip, err := a.net.podAddress(a.usedAddresses())
	if err != nil {
		return nil, err
	}
	r.UID, r.IP, r.CreatedAt, r.Phase = newUID(), ip, time.Now().UTC(), corev1.PodPending
	p := newPod(a.ctx, r)
	for _, dir := range []string{a.podRoot(p.UID), a.logDir(p.Namespace, p.Name)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := a.save(p); err != nil {
		return nil, err
	}
	if err := a.enter(p, "started", p.CreatedAt); err != nil {
		return nil, err
	}
	a.begin(p)
	return p, nil
}

// begin supervises the pod until it has ended. The mutex is held.
func (a *Agent) begin(p *pod) {
	a.pods[p.UID] = p
	if p.ended() {
		close(p.done)
		return
	}
	a.running.Go(func() {
		defer a.wake()
		defer close(p.done)
		a.superviseAll(p)
		a.retire(p)
	})
	if p.stopping() {
		a.running.Go(func() { a.shutdown(p) })
	}
}

// stop takes the pod out of the Services, lets it finish open requests, and ends it. The mutex is held.
func (a *Agent) stop(p *pod, reason string) error {
	if p.stopping() || p.ended() {
		return nil
	}
	p.StoppingAt, p.Reason = time.Now().UTC(), reason
	if err := a.save(p); err != nil {
		return err
	}
	a.route()
	a.running.Go(func() { a.shutdown(p) })
	return nil
}

// shutdown ends a stopping pod: open requests first, then hooks, then SIGTERM. SIGKILL follows in supervise. The
// requests get at most half of the grace period.
func (a *Agent) shutdown(p *pod) {
	defer p.cancel()
	ctx, cancel := context.WithDeadline(a.ctx, p.StoppingAt.Add(p.grace()/2))
	a.drain(ctx, p)
	cancel()
	ctx, cancel = context.WithDeadline(a.ctx, p.StoppingAt.Add(p.grace()))
	defer cancel()
	for _, c := range p.containers {
		if c.spec.Lifecycle != nil && c.spec.Lifecycle.PreStop != nil {
			a.preStop(ctx, p, c)
		}
	}
}

// drain waits until the pod has no open request.
func (a *Agent) drain(ctx context.Context, p *pod) {
	a.mu.Lock()
	ports := slices.Collect(maps.Values(a.ports))
	a.mu.Unlock()
	for _, port := range ports {
		port.Drain(ctx, p.UID)
	}
}

// retire records how the pod ended, and forgets it unless its Job has to count it.
func (a *Agent) retire(p *pod) {
	if a.ctx.Err() != nil { // the agent leaves its pods behind
		return
	}
	if err := process.Kill(p.mark()); err != nil {
		a.log.Error("end the pod's processes", "pod", p.Name, "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p.EndedAt = time.Now().UTC()
	counted := p.Owner.Kind == "Job" && !p.stopping()
	p.Phase = p.outcome()
	err := a.enter(p, "ended", p.EndedAt)
	if counted {
		err = errors.Join(err, a.save(p), os.RemoveAll(a.podRoot(p.UID)))
	}
	if a.findPod(p.Namespace, p.Name) == p {
		a.logs.drop(a.logDir(p.Namespace, p.Name))
	}
	if !counted {
		delete(a.pods, p.UID)
		err = errors.Join(err, os.RemoveAll(a.podDir(p.UID)), a.pruneLogs(p.Namespace))
	}
	if !p.isOwned() {
		err = errors.Join(err, a.leaveNamespace(p.Namespace))
	}
	if err != nil {
		a.log.Error("retire pod", "pod", p.Name, "error", err)
	}
	a.route()
}

// forget removes a pod that has ended and was kept to be counted. The mutex is held.
func (a *Agent) forget(p *pod) error {
	delete(a.pods, p.UID)
	return os.RemoveAll(a.podDir(p.UID))
}

func (p *pod) outcome() corev1.PodPhase {
	for _, c := range p.inRole(lasting) {
		if c.rec.ExitCode == nil || *c.rec.ExitCode != 0 {
			return corev1.PodFailed
		}
	}
	return corev1.PodSucceeded
}

func (a *Agent) usedAddresses() map[string]bool {
	used := map[string]bool{}
	for _, p := range a.pods {
		used[p.IP] = true
	}
	for _, e := range a.store.list("Service", "") {
		used[e.Address] = true
	}
	return used
}
