package kubernetes

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A replica is what is kept of a pod to judge its workload.
type replica struct {
	namespace, name, uid string
	owner                string // as Kind/name; of a Deployment's pod its Deployment
	controller, ownerUID string // which is the ReplicaSet of a Deployment's pod
	revision             string
	hitch                hitch
}

func replicaOf(p *pod) replica {
	o := p.owner()
	r := replica{namespace: p.Metadata.Namespace, name: p.Metadata.Name, uid: p.Metadata.UID, owner: o.Kind + "/" + o.Name, controller: o.Name, ownerUID: string(o.UID)}
	switch hash := p.Metadata.Labels["pod-template-hash"]; o.Kind {
	case "ReplicaSet":
		if name, ok := strings.CutSuffix(o.Name, "-"+hash); ok && hash != "" {
			r.owner = "Deployment/" + name
		}
	case "StatefulSet":
		r.revision = p.Metadata.Labels["controller-revision-hash"]
	case "DaemonSet":
		r.revision = p.Metadata.Labels["pod-template-generation"]
	}
	if p.Metadata.DeletionTimestamp == "" && !p.hasEnded() {
		r.hitch = hitchOf(p)
	}
	return r
}

// A refusal is why pods of a workload cannot be created.
type refusal struct {
	message string
	since   time.Time
}

// isFinal reports whether the refusal is by a rule, and so will be the same on another try.
func (r refusal) isFinal() bool {
	for _, words := range []string{"forbidden", "denied the request", "is invalid"} {
		if strings.Contains(r.message, words) {
			return true
		}
	}
	return false
}

// A verdict is what a workload's pods say about it, as a condition; the zero verdict adds nothing.
type verdict struct{ kind, reason, message string }

// An inquest judges why a workload is not ready.
type inquest struct {
	workload sluice.Object
	replicas []replica
	// isCurrent tells whether a pod runs what the workload asks for.
	isCurrent func(replica) bool
	refusal   refusal // as events tell it
	now       time.Time
}

// hold returns the verdict and after how long it may be another one though nothing changes; 0: never.
func (q inquest) hold() (verdict, time.Duration) {
	state := manifest.Status(q.workload)
	if state.Phase == manifest.Ready || isUnseen(q.workload) {
		return verdict{}, 0
	}
	slices.SortFunc(q.replicas, func(a, b replica) int { return cmp.Compare(a.name, b.name) })
	var soon time.Duration
	look := func(after time.Duration) {
		if after > 0 && (soon == 0 || after < soon) {
			soon = after
		}
	}
	for _, r := range q.replicas {
		if !r.hitch.isGrave() || q.isSelfEnding(r.hitch) || !q.isCurrent(r) {
			continue
		}
		stalled, after := r.hitch.stalls(q.now)
		if stalled {
			return verdict{"Stalled", r.hitch.reason, missing(state, r.sentence())}, 0
		}
		look(after)
	}
	if why := q.refused(); why.message != "" {
		text := "pods cannot be created: " + plain(why.message)
		lasting, after := lasts(why.since, q.now, createGrace)
		if lasting && why.isFinal() {
			return verdict{"Stalled", "FailedCreate", missing(state, text)}, 0
		}
		look(after)
		return waits(state, text), soon
	}
	for _, r := range q.replicas {
		if r.hitch.text != "" {
			return waits(state, r.sentence()), soon
		}
	}
	return verdict{}, soon
}

func waits(state manifest.State, text string) verdict {
	if state.Phase == manifest.Failed {
		return verdict{"Stalled", "", missing(state, text)}
	}
	return verdict{"Reconciling", "", missing(state, text)}
}

// missing joins what the workload says and what its pods say, once where they say the same.
func missing(state manifest.State, text string) string {
	if strings.HasSuffix(text, plain(state.Message)) {
		return text
	}
	return state.Message + "; " + text
}

func (r replica) sentence() string { return "pod " + r.name + " waits: " + r.hitch.text }

func isUnseen(o sluice.Object) bool {
	return o.Number(0, "metadata", "generation") > o.Number(0, "status", "observedGeneration") && o.Text("kind") != "Job"
}

// isSelfEnding reports whether the workload itself counts such failures and ends by them.
func (q inquest) isSelfEnding(h hitch) bool {
	return q.workload.Text("kind") == "Job" && h.restarts > 0
}

// refused returns why pods that are missing cannot be created.
func (q inquest) refused() refusal {
	o := q.workload
	count := func(field string) int { return o.Number(0, "status", field) }
	var missing bool
	switch o.Text("kind") {
	case "Deployment":
		return replicaFailure(o)
	case "StatefulSet":
		missing = count("replicas") < o.Number(1, "spec", "replicas")
	case "DaemonSet":
		missing = count("currentNumberScheduled") < count("desiredNumberScheduled")
	case "Job":
		missing = count("active") == 0
	}
	if !missing {
		return refusal{}
	}
	return q.refusal
}

func replicaFailure(o sluice.Object) refusal {
	list, _ := o.Field("status", "conditions").([]any)
	for _, c := range list {
		m, _ := c.(map[string]any)
		if e := sluice.Object(m); e.Text("type") == "ReplicaFailure" && e.Text("status") == "True" {
			return refusal{e.Text("message"), timeOf(e.Text("lastTransitionTime"))}
		}
	}
	return refusal{}
}

// isOfRevision tells whether a pod of a StatefulSet or DaemonSet runs what its workload asks for. Those below a
// StatefulSet's partition are to run the revision of before.
func isOfRevision(o sluice.Object, r replica) bool {
	switch o.Text("kind") {
	case "StatefulSet":
		want := o.Text("status", "updateRevision")
		if ordinal(r.name) < o.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition") {
			want = o.Text("status", "currentRevision")
		}
		return r.revision == want
	case "DaemonSet":
		return r.revision == o.Text("metadata", "annotations", "deprecated.daemonset.template.generation")
	}
	return true
}

func ordinal(pod string) int {
	n, err := strconv.Atoi(pod[strings.LastIndex(pod, "-")+1:])
	if err != nil {
		return 0
	}
	return n
}

// on returns the workload with the verdict among its conditions. What the workload shares with others is not changed.
func (v verdict) on(o sluice.Object) sluice.Object {
	if v.kind == "" {
		return o
	}
	status, _ := o["status"].(map[string]any)
	list, _ := status["conditions"].([]any)
	o, status = maps.Clone(o), maps.Clone(status)
	if status == nil {
		status = map[string]any{}
	}
	status["conditions"] = append(slices.Clone(list), map[string]any{"type": v.kind, "status": "True", "reason": cmp.Or(v.reason, "PodsWait"), "message": v.message})
	o["status"] = status
	return o
}

// lastWrite returns when somebody last wrote what the workload is to be.
func lastWrite(o sluice.Object) time.Time {
	var last time.Time
	for _, e := range managedFields(o) {
		if t := timeOf(e.Text("time")); e.Text("subresource") == "" && t.After(last) {
			last = t
		}
	}
	return last
}

func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
