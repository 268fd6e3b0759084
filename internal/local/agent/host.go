package agent

import (
	"cmp"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Pods lists the replicas in the namespace, "" for all of them. It leaves out pods that have ended, except those of
// Jobs.
func (a *Agent) Pods(namespace string) []sluice.Pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	pods := []sluice.Pod{}
	for _, p := range a.pods {
		if namespace != "" && p.Namespace != namespace || p.ended() && p.Owner.Kind != "Job" {
			continue
		}
		pods = append(pods, sluice.Pod{
			Namespace: p.Namespace, Name: p.Name, Owner: p.ownerName(), Image: p.Spec.Containers[0].Image,
			Ready: p.ready(), Restarts: p.restarts(), Reason: p.why(), LastEnd: p.LastEnd, Ending: p.stopping(),
			Created: p.CreatedAt, Revision: p.revisionName(), Labels: p.Labels,
		})
	}
	slices.SortFunc(pods, comparePods)
	return pods
}

func comparePods(a, b sluice.Pod) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// findPod returns the newest pod of that name, nil if there is none. The mutex is held.
func (a *Agent) findPod(namespace, name string) *pod {
	var found *pod
	for _, p := range a.pods {
		if p.Namespace == namespace && p.Name == name && (found == nil || p.CreatedAt.After(found.CreatedAt)) {
			found = p
		}
	}
	return found
}
