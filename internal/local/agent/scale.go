package agent

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// List returns the objects of the kind that are not being deleted, by name, and none of a kind that is not supported.
func (a *Agent) List(r WatchRequest) []sluice.Object {
	if _, err := kind.Find(r.APIVersion, r.Kind); err != nil {
		return nil
	}
	if !kind.Namespaced(r.Kind) {
		r.Namespace = ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []sluice.Object
	for _, e := range a.store.list(r.Kind, r.Namespace) {
		if !e.deleting() {
			all = append(all, e.Object.Clone())
		}
	}
	return all
}

// Scale changes how many pods the workload wants, and nothing else.
func (a *Agent) Scale(r ScaleRequest) error {
	if r.Ref.Kind != "Deployment" && r.Ref.Kind != "StatefulSet" {
		return sluice.Errorf(sluice.Unsupported, "a %s has no count of pods that can be scaled", r.Ref.Kind)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.wake()
	if a.ending {
		return errEnding
	}
	e := a.store.objects[keyOf(r.Ref)]
	if e == nil {
		return sluice.Errorf(sluice.NotFound, "there is no %s in the namespace %s", r.Ref, r.Ref.Namespace)
	}
	o := e.Applied.Clone()
	o.Set(int64(r.Replicas), "spec", "replicas")
	_, _, err := a.apply(o)
	return err
}

// Evict stops the pod and returns when it has ended. Its workload makes another one.
func (a *Agent) Evict(ctx context.Context, r EvictRequest) error {
	p, err := a.evict(r)
	if p == nil || err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return nil
	}
}

func (a *Agent) evict(r EvictRequest) (*pod, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.wake()
	p := a.findPod(r.Namespace, r.Pod)
	if p == nil || p.ended() {
		return nil, nil
	}
	return p, a.stop(p, "evicted")
}
