package accounttest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

var adopting = []scenario{
	{"Beside starts a canary whose pods have the name of the replica set", nil, (*run).beside},
	{"Beside again changes nothing, or only the count", nil, (*run).besideAgain},
	{"a canary that cannot start is Stalled", nil, (*run).stalledBeside},
	{"a replica set of another canary is a Conflict", nil, (*run).takenReplicaSet},
	{"a replica set of somebody else is a Conflict", []Ability{ReplicaSets}, (*run).foreignReplicaSet},
	{"a paused Deployment with their template adopts orphaned pods", nil, (*run).handOver},
	{"a Deployment with another template ends orphaned pods", nil, (*run).orphanOld},
	{"orphaning what does not exist succeeds", nil, (*run).orphanAbsent},
	{"a cancelled Beside or Orphan changes nothing", nil, (*run).cancelledAdoption},
}

// release is the value of the release label of the next version, whose pods belong to the replica set nextSet.
const (
	release = "7c9d5f"
	nextSet = "web-" + release
)

// next is Deployment/web with the next version.
func (r *run) next(replicas int, p Program) sluice.Object {
	r.Helper()
	o := r.workload("Deployment", "web", replicas, p, 2)
	o.Set(release, "spec", "template", "metadata", "labels", sluice.ReleaseLabel)
	return o
}

// canary is Deployment/web-canary, whose pods are of the next version of Deployment/web.
func (r *run) canary(replicas int, p Program) sluice.Object {
	r.Helper()
	o := r.next(replicas, p)
	o.Set("web-canary", "metadata", "name")
	o.Set(release, "spec", "selector", "matchLabels", sluice.ReleaseLabel)
	return o
}

// runBeside starts the stable Deployment and the canary with as many pods each, and returns the pods of both.
func (r *run) runBeside(replicas int) (stable, canary []sluice.Pod) {
	r.Helper()
	r.start(r.workload("Deployment", "web", replicas, Serves, 1))
	r.wantBeside(r.canary(replicas, Starts), sluice.Created)
	r.settle(r.ref("Deployment", "web-canary"))
	return r.pods("Deployment/web"), r.pods("Deployment/web-canary")
}

// wantBeside runs the canary beside the stable Deployment and fails unless the outcome is as wanted.
func (r *run) wantBeside(canary sluice.Object, want sluice.Outcome) sluice.Object {
	r.Helper()
	now, outcome, err := r.Beside(r.ctx, canary, nextSet)
	r.must(err)
	if outcome != want {
		r.Errorf("Beside is %s, want %s", outcome, want)
	}
	if got := r.get(canary.Ref()); got.Text("metadata", "uid") != now.Text("metadata", "uid") {
		r.Errorf("Beside returns %v, and there is %v", now, got)
	}
	return now
}

// areThere reports whether all of the pods are among the others, and were not started again.
func areThere(pods, among []sluice.Pod) bool {
	return !slices.ContainsFunc(pods, func(p sluice.Pod) bool {
		return !slices.ContainsFunc(among, func(q sluice.Pod) bool { return q.Name == p.Name && q.Created.Equal(p.Created) })
	})
}

func (r *run) beside() {
	r.start(r.workload("Deployment", "web", 2, Serves, 1))
	stable, canary := r.pods("Deployment/web"), r.canary(2, Starts)
	was := fmt.Sprint(canary)
	if now := r.wantBeside(canary, sluice.Created); now.Number(0, "status", "readyReplicas") > 0 {
		r.Errorf("before its pods have started, it is %v", now)
	}
	r.settle(canary.Ref())
	pods := r.pods("Deployment/web-canary")
	if len(pods) != 2 {
		r.Errorf("the canary has the pods %+v", pods)
	}
	for _, p := range pods {
		if !strings.HasPrefix(p.Name, nextSet+"-") || p.Labels[sluice.ReleaseLabel] != release || !p.Ready {
			r.Errorf("a pod of the canary is %+v", p)
		}
	}
	if got := r.pods("Deployment/web"); len(got) != 2 || !areThere(stable, got) {
		r.Errorf("the stable pods are %+v, and were %+v", got, stable)
	}
	if fmt.Sprint(canary) != was {
		r.Errorf("Beside changed what it was given: %v", canary)
	}
}

func (r *run) besideAgain() {
	_, before := r.runBeside(1)
	was := r.get(r.ref("Deployment", "web-canary"))
	r.wantBeside(r.canary(1, Starts), sluice.Unchanged)
	r.same(was, "after Beside again")
	r.wantBeside(r.canary(2, Starts), sluice.Configured)
	r.settle(was.Ref())
	if now := r.pods("Deployment/web-canary"); len(now) != 2 || !areThere(before, now) {
		r.Errorf("the pods are %+v, and were %+v", now, before)
	}
}

func (r *run) stalledBeside() {
	r.start(r.workload("Deployment", "web", 1, Serves, 1))
	r.wantBeside(r.canary(1, Breaks), sluice.Created)
	r.await(r.ref("Deployment", "web-canary"), "stalled", func(o sluice.Object) bool {
		return slices.ContainsFunc(o.List("status", "conditions"), func(c sluice.Object) bool {
			return c.Text("type") == "Stalled" && c.Text("status") == "True"
		})
	})
}

func (r *run) takenReplicaSet() {
	r.runBeside(1)
	other := r.canary(1, Starts)
	other.Set("other-canary", "metadata", "name")
	_, _, err := r.Beside(r.ctx, other, nextSet)
	r.wants(err, sluice.Conflict, nextSet, "web-canary")
	_, err = r.Get(r.ctx, other.Ref())
	r.wants(err, sluice.NotFound)
}

func (r *run) foreignReplicaSet() {
	set := r.workload("ReplicaSet", nextSet, 0, Serves, 3)
	r.apply(set)
	_, _, err := r.Beside(r.ctx, r.canary(1, Starts), nextSet)
	r.wants(err, sluice.Conflict, nextSet)
	_, err = r.Get(r.ctx, r.ref("Deployment", "web-canary"))
	r.wants(err, sluice.NotFound)
}

func (r *run) handOver() {
	_, canary := r.runBeside(2)
	r.promote(2)
	if pods := r.pods("Deployment/web"); len(pods) != 2 || !areThere(canary, pods) {
		r.Errorf("resumed, the pods are %+v, and were %+v", pods, canary)
	}
}

// promote lets the stable Deployment adopt the canary's pods.
func (r *run) promote(replicas int) {
	r.Helper()
	canary := r.pods("Deployment/web-canary")
	next := r.next(replicas, Starts)
	next.Set(true, "spec", "paused")
	next.Set(map[string]any{"maxSurge": int64(replicas), "maxUnavailable": int64(0)}, "spec", "strategy", "rollingUpdate")
	now := r.apply(next)
	r.await(now.Ref(), "observed", func(o sluice.Object) bool {
		return o.Number(0, "status", "observedGeneration") >= now.Number(1, "metadata", "generation")
	})
	r.must(r.Orphan(r.ctx, r.ref("Deployment", "web-canary")))
	r.await(now.Ref(), "the owner of the pods", func(o sluice.Object) bool {
		return o.Number(0, "status", "updatedReplicas") == replicas
	})
	r.await(r.ref("Deployment", "web-canary"), "gone", func(o sluice.Object) bool {
		return o.Text("metadata", "deletionTimestamp") != ""
	})
	r.awaitPods("Deployment/web", "those of the canary alone", func(pods []sluice.Pod) bool {
		return len(pods) == replicas && areThere(canary, pods)
	})
	r.apply(r.next(replicas, Starts))
	r.settle(now.Ref())
}

func (r *run) orphanOld() {
	stable, _ := r.runBeside(1)
	r.must(r.Orphan(r.ctx, r.ref("Deployment", "web-canary")))
	r.awaitPods("Deployment/web", "the stable ones alone", func(pods []sluice.Pod) bool {
		all, err := r.Pods(r.ctx, r.Namespace)
		r.must(err)
		return len(all) == 1 && len(pods) == 1 && areThere(stable, pods)
	})
}

func (r *run) orphanAbsent() {
	canary := r.canary(1, Starts).Ref()
	r.must(r.Orphan(r.ctx, canary))
	r.runBeside(1)
	for range 2 {
		r.must(r.Orphan(r.ctx, canary))
	}
}

func (r *run) cancelledAdoption() {
	stable, canary := r.runBeside(1)
	was := r.get(r.ref("Deployment", "web-canary"))
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	if _, _, err := r.Beside(ctx, r.canary(2, Starts), nextSet); !isCancelled(err) {
		r.Errorf("Beside returns %v", err)
	}
	if err := r.Orphan(ctx, was.Ref()); !isCancelled(err) {
		r.Errorf("Orphan returns %v", err)
	}
	r.same(was, "after calls that were cancelled")
	for owner, want := range map[string][]sluice.Pod{"Deployment/web": stable, "Deployment/web-canary": canary} {
		if pods := r.pods(owner); len(pods) != 1 || !areThere(want, pods) {
			r.Errorf("the pods of %s are %+v, and were %+v", owner, pods, want)
		}
	}
}
