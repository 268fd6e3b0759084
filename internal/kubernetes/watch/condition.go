package watch

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A replica is the part of a pod that is kept to diagnose and to list the pods of its workload.
type replica struct {
	pod        sluice.Pod // its owner is the controller
	uid        string
	controller string // the uid; of a Deployment's pod that of its ReplicaSet
	revision   string
	ended      bool
	wait       wait
}

func replicaOf(p *pod.Pod) replica {
	o, meta := p.Owner(), p.Metadata
	r := replica{pod: p.Summary(), uid: meta.UID, controller: string(o.UID), ended: p.HasEnded()}
	switch o.Kind {
	case "StatefulSet":
		r.revision = meta.Labels["controller-revision-hash"]
	case "DaemonSet":
		r.revision = meta.Labels["pod-template-generation"]
	}
	if meta.DeletionTimestamp == "" && !r.ended {
		r.wait = waitOf(p)
	}
	return r
}

// isWorse reports whether the pod was restarted, or stopped being ready, since it was as before.
func (r replica) isWorse(before replica) bool {
	return r.pod.Restarts > before.pod.Restarts || before.pod.Ready && !r.pod.Ready
}

func (r replica) sentence() string { return "pod " + r.pod.Name + " waits: " + r.wait.text }

// A diagnosis finds out why a workload is not ready.
type diagnosis struct {
	workload sluice.Object
	replicas []replica
	sets     map[string]replicaSet // the ReplicaSets of a Deployment, by uid
	refusal  refusal               // that events report
	now      time.Time
}

// condition returns why the workload is not ready, and after how long the passing of time may change that; 0: never.
func (d diagnosis) condition() (condition, time.Duration) {
	state := manifest.Status(d.workload)
	if state.Phase == manifest.Ready || isUnobserved(d.workload) {
		return condition{}, 0
	}
	slices.SortFunc(d.replicas, func(a, b replica) int { return cmp.Compare(a.pod.Name, b.pod.Name) })
	var next time.Duration
	look := func(after time.Duration) {
		if after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	for _, r := range d.replicas {
		if !r.wait.mayBePermanent() || d.isCounted(r.wait) || !d.isCurrent(r) {
			continue
		}
		permanent, after := r.wait.isPermanent(d.now)
		if permanent {
			return condition{"Stalled", r.wait.reason, joined(state, r.sentence())}, 0
		}
		look(after)
	}
	if why := d.refused(); why.message != "" {
		text := "pods cannot be created: " + client.OneLine(why.message)
		lasting, after := hasPassed(why.since, d.now, createGrace)
		if lasting && why.isFinal() {
			return condition{"Stalled", "FailedCreate", joined(state, text)}, 0
		}
		look(after)
		return waiting(state, text), next
	}
	for _, r := range d.replicas {
		if r.wait.text != "" {
			return waiting(state, r.sentence()), next
		}
	}
	return condition{}, next
}

// isUnobserved reports whether the controller has not seen the last change of the workload.
func isUnobserved(o sluice.Object) bool {
	return o.Number(0, "metadata", "generation") > o.Number(0, "status", "observedGeneration") && o.Text("kind") != "Job"
}

// isCounted reports whether the workload itself counts such failures and fails because of them.
func (d diagnosis) isCounted(w wait) bool { return d.workload.Text("kind") == "Job" && w.restarts > 0 }

// refused returns why missing pods cannot be created.
func (d diagnosis) refused() refusal {
	o := d.workload
	count := func(field string) int { return o.Number(0, "status", field) }
	var missing bool
	switch o.Text("kind") {
	case "Deployment":
		return d.refusedReplicaSet()
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
	return d.refusal
}

// refusedReplicaSet returns why pods of a Deployment cannot be created. While the Deployment is paused, only its
// ReplicaSet says it.
func (d diagnosis) refusedReplicaSet() refusal {
	if says := replicaFailure(d.workload); says.message != "" {
		return says
	}
	for _, set := range d.sets {
		if set.refusal.message != "" && set.template == templateDigest(d.workload) {
			return set.refusal
		}
	}
	return refusal{}
}

// isCurrent reports whether the pod runs the current version of the workload.
func (d diagnosis) isCurrent(r replica) bool {
	if d.workload.Text("kind") != "Deployment" {
		return isOfRevision(d.workload, r)
	}
	set, ok := d.sets[r.controller]
	return ok && set.template == templateDigest(d.workload)
}

// isOfRevision reports whether a pod of a StatefulSet or DaemonSet runs the version that it should. The pods below a
// StatefulSet's partition should run the previous revision.
func isOfRevision(o sluice.Object, r replica) bool {
	switch o.Text("kind") {
	case "StatefulSet":
		want := o.Text("status", "updateRevision")
		first := o.Number(0, "spec", "ordinals", "start")
		if ordinal(r.pod.Name) < first+o.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition") {
			want = o.Text("status", "currentRevision")
		}
		return r.revision == want
	case "DaemonSet":
		return r.revision == o.Text("metadata", "annotations", "deprecated.daemonset.template.generation")
	}
	return true
}

func ordinal(pod string) int {
	n, _ := strconv.Atoi(pod[strings.LastIndex(pod, "-")+1:]) // a StatefulSet names its pods
	return n
}

// A condition is added to the status of a workload because of its pods. The zero condition adds nothing.
type condition struct{ kind, reason, message string }

func waiting(state manifest.State, text string) condition {
	if state.Phase == manifest.Failed {
		return condition{"Stalled", "", joined(state, text)}
	}
	return condition{"Reconciling", "", joined(state, text)}
}

// joined returns the messages of the workload and of its pods, or one of them if they say the same.
func joined(state manifest.State, text string) string {
	if strings.HasSuffix(text, client.OneLine(state.Message)) {
		return text
	}
	return state.Message + "; " + text
}

// on returns the workload with the condition. It does not change the parts that the workload shares with others.
func (c condition) on(o sluice.Object) sluice.Object {
	if c.kind == "" {
		return o
	}
	status, _ := o["status"].(map[string]any)
	list, _ := status["conditions"].([]any)
	o, status = maps.Clone(o), maps.Clone(status)
	if status == nil {
		status = map[string]any{}
	}
	status["conditions"] = append(slices.Clone(list), map[string]any{
		"type": c.kind, "status": "True", "reason": cmp.Or(c.reason, "PodsWait"), "message": c.message,
	})
	o["status"] = status
	return o
}

// lastWrite returns when somebody last wrote the specification of the workload.
func lastWrite(o sluice.Object) time.Time {
	var last time.Time
	for _, e := range client.ManagedFields(o) {
		if t := timeOf(e.Text("time")); e.Text("subresource") == "" && t.After(last) {
			last = t
		}
	}
	return last
}
