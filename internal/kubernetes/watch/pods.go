package watch

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// PodsOf returns the pods of the Deployments, in no order, if the shared watches show as many of each, and as many
// ready ones, as its own status counts. So they are as new as the Deployments, and nothing is asked for. It waits a
// moment for the watches. ok is false if they do not show that.
func (s *Informers) PodsOf(ctx context.Context, r client.Resource, of []sluice.Ref) (list []sluice.Pod, ok bool) {
	for _, ref := range of {
		i := s.following(ctx, r, ref.Namespace)
		if i == nil {
			return nil, false
		}
		w, follows := i.source.(*workloads)
		if !follows {
			return nil, false
		}
		pods, ok := w.awaitPods(ctx, ref)
		if !ok {
			return nil, false
		}
		list = append(list, pods...)
	}
	return list, true
}

// awaitPods is PodsOf for one Deployment.
func (s *workloads) awaitPods(ctx context.Context, ref sluice.Ref) (list []sluice.Pod, ok bool) {
	over := time.After(mostPatience)
	pods, sets := s.lists.pods.position(), s.lists.replicaSets.position()
	for pods.isCurrent() && sets.isCurrent() {
		podsChange, setsChange, deploymentsChange := pods.changes(), sets.changes(), s.position.changes()
		if list, ok := s.podsOf(ref); ok {
			return list, true
		}
		select {
		case <-podsChange:
		case <-setsChange:
		case <-deploymentsChange:
		case <-over:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
	return nil, false
}

// podsOf returns the pods of the Deployment as the watches show them, and whether its status counts the same.
func (s *workloads) podsOf(ref sluice.Ref) (list []sluice.Pod, same bool) {
	uid := s.cache.uidOf(ref.Namespace + "/" + ref.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.all[uid]
	if !ok || isUnobserved(w.object) {
		return nil, false
	}
	running, ready := 0, 0
	for _, r := range s.pods.items[uid] {
		if r.ended {
			continue
		}
		p := r.pod
		p.Owner = ref.String()
		list = append(list, p)
		if !p.Ending {
			running++
		}
		if p.Ready {
			ready++
		}
	}
	o := w.object
	return list, running == o.Number(0, "status", "replicas") && ready == o.Number(0, "status", "readyReplicas")
}
