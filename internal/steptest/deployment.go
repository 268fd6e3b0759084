package steptest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// A replicaSet is the pods of one version of a Deployment, as the controllers of a cluster keep them.
type replicaSet struct {
	name     string
	of       sluice.Object // the Deployment with the template of the pods
	n        int
	starting bool
}

func (s replicaSet) hash() string { return hash(s.of) }

// available is how many of the pods are ready, if the Deployment does not ask for more than that.
func (a *Account) available(ref sluice.Ref, s replicaSet) int {
	n := 0
	for _, p := range a.podsIn(ref, s) {
		if p.Ready {
			n++
		}
	}
	return n
}

// heldSeconds is more than any test waits: a Deployment with such a minReadySeconds keeps its old pods.
const heldSeconds = 3600

// roll does what the controller of Deployments does: it brings the pods to the object's template and number. A paused
// Deployment starts no new version. It ends the old ones once the new one, which it has adopted, is complete.
func (a *Account) roll(ref sluice.Ref) {
	o := a.objects[ref]
	a.adopt(ref)
	sets, want := a.sets[ref], o.Number(1, "spec", "replicas")
	at := slices.IndexFunc(sets, func(s replicaSet) bool { return s.hash() == hash(o) })
	paused := o.Field("spec", "paused") == true
	switch {
	case at < 0 && paused:
		if len(sets) == 1 {
			sets[0].n = want
		}
		return
	case at < 0:
		at = len(sets)
		sets = append(sets, a.newSet(ref, o))
	case paused && len(sets) > 1 && sets[at].n != want:
		return
	}
	sets[at].n = want
	a.sets[ref] = sets
	complete := a.available(ref, sets[at]) == want
	keeps := sets[at].starting || o.Number(0, "spec", "minReadySeconds") > heldSeconds || paused && !complete
	if !keeps {
		a.sets[ref] = []replicaSet{sets[at]}
	}
}

// adopt gives the Deployment the orphaned pods that its selector matches.
func (a *Account) adopt(ref sluice.Ref) {
	var left []replicaSet
	for _, s := range a.orphans {
		if s.of.Ref().Namespace == ref.Namespace && matches(a.objects[ref], s.of) {
			a.sets[ref] = append(a.sets[ref], s)
			continue
		}
		left = append(left, s)
	}
	a.orphans = left
}

func matches(deployment, of sluice.Object) bool {
	selector, _ := asMap(deployment.Field("spec", "selector", "matchLabels"))
	for k, v := range selector {
		if labels(of)[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// newSet returns the pods of the object's version. Slow ones keep the old ones until they are ready.
func (a *Account) newSet(ref sluice.Ref, o sluice.Object) replicaSet {
	name := cmp.Or(a.setNames[ref], ref.Name+"-"+hash(o))
	s := replicaSet{name: name, of: o, n: o.Number(1, "spec", "replicas")}
	if !strings.Contains(images(o), "slow") {
		return s
	}
	s.starting = true
	time.AfterFunc(a.slow, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for ref, sets := range a.sets {
			for i := range sets {
				if sets[i].starting && sets[i].name == s.name {
					sets[i].starting = false
					a.roll(ref)
					a.objects[ref] = a.settle(a.numbered(a.objects[ref].Clone()))
					a.notify()
					return
				}
			}
		}
	})
	return s
}

// podsIn returns the pods of one version of the Deployment.
func (a *Account) podsIn(ref sluice.Ref, s replicaSet) []sluice.Pod {
	var pods []sluice.Pod
	for i := range s.n {
		p := sluice.Pod{
			Namespace: ref.Namespace, Name: fmt.Sprintf("%s-%d", s.name, i), Owner: ref.String(), Image: images(s.of),
			Ready: a.sound(s.of) && !s.starting, Revision: s.hash(), Labels: labels(s.of),
		}
		if n := a.reborn[p.Name]; n > 0 {
			p.Name = fmt.Sprintf("%s-again-%d", p.Name, n)
		}
		switch {
		case a.stalled(s.of):
			p.Reason = crashing
		case s.starting:
			p.Reason = "ContainerCreating"
		case !p.Ready:
			p.Reason = "its readiness probe fails"
		}
		pods = append(pods, a.lived(p))
	}
	return pods
}

// count fills in the numbers in the status of the Deployment, and returns how many of its pods are ready.
func (a *Account) count(o sluice.Object, status map[string]any) (ready int) {
	all, updated := 0, 0
	for _, s := range a.sets[o.Ref()] {
		all += s.n
		ready += a.available(o.Ref(), s)
		if s.hash() == hash(o) {
			updated = s.n
		}
	}
	for field, n := range map[string]int{
		"replicas": all, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready,
	} {
		status[field] = int64(n)
	}
	return ready
}

// Orphan implements sluice.Adopter.
func (a *Account) Orphan(ctx context.Context, ref sluice.Ref) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	if a.objects[ref] == nil {
		a.mu.Unlock()
		return nil
	}
	a.orphans = append(a.orphans, a.sets[ref]...)
	delete(a.setNames, ref)
	a.remove(ref)
	for other := range a.objects {
		if other.Kind == "Deployment" && len(a.orphans) > 0 {
			a.roll(other)
			a.objects[other] = a.settle(a.numbered(a.objects[other].Clone()))
		}
	}
	return a.wrote()
}
