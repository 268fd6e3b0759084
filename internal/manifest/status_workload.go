package manifest

import (
	"cmp"

	"github.com/sluice-cd/sluice"
)

// unseen reports whether the controller has not written a status for the workload's generation yet.
func unseen(o sluice.Object) bool {
	return o.Number(0, "metadata", "generation") > o.Number(0, "status", "observedGeneration")
}

func count(o sluice.Object, field string) int { return o.Number(0, "status", field) }

// available counts replicas that have been ready for minReadySeconds. Without that field, ready replicas are available.
func available(o sluice.Object) int {
	if o.Number(0, "spec", "minReadySeconds") > 0 {
		return count(o, "availableReplicas")
	}
	return o.Number(count(o, "readyReplicas"), "status", "availableReplicas")
}

func deployment(o sluice.Object) State {
	if unseen(o) {
		return waiting("its controller has not seen the change yet")
	}
	if c, ok := conditionOf(o, "Progressing"); ok && c.reason == "ProgressDeadlineExceeded" {
		return failed("%s", c.text("it made no progress within its deadline"))
	}
	if c, ok := conditionOf(o, "ReplicaFailure"); ok && c.is("True") && count(o, "replicas") == 0 {
		return failed("%s", c.text("its pods cannot be created"))
	}
	want := o.Number(1, "spec", "replicas")
	switch {
	case count(o, "updatedReplicas") < want:
		return waiting("%d of %d replicas updated", count(o, "updatedReplicas"), want)
	case count(o, "replicas") > want:
		return waiting("%d old replicas still to end", count(o, "replicas")-want)
	case count(o, "readyReplicas") < want:
		return waiting("%d of %d replicas ready", count(o, "readyReplicas"), want)
	case available(o) < want:
		return waiting("%d of %d replicas available", available(o), want)
	}
	return State{Phase: Ready}
}

func statefulSet(o sluice.Object) State {
	if unseen(o) {
		return waiting("its controller has not seen the change yet")
	}
	want, through := o.Number(1, "spec", "replicas"), throughOf(o)
	switch {
	case count(o, "replicas") > want:
		return waiting("%d surplus replicas still to end", count(o, "replicas")-want)
	case count(o, "readyReplicas") < want:
		return waiting("%d of %d replicas ready", count(o, "readyReplicas"), want)
	case available(o) < want:
		return waiting("%d of %d replicas available", available(o), want)
	case onUpdateRevision(o) < through:
		return waiting("%d of %d replicas updated", onUpdateRevision(o), through)
	case through == want && want > 0 && behind(o):
		return waiting("revision %s is not the current one yet", o.Text("status", "updateRevision"))
	}
	return State{Phase: Ready}
}

// throughOf returns how many pods of a StatefulSet are to be updated. With OnDelete only people replace pods, so old
// pods are no reason to wait.
func throughOf(o sluice.Object) int {
	if o.Text("spec", "updateStrategy", "type") == "OnDelete" {
		return 0
	}
	want := o.Number(1, "spec", "replicas")
	return want - min(want, o.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition"))
}

func behind(o sluice.Object) bool {
	current, update := o.Text("status", "currentRevision"), o.Text("status", "updateRevision")
	return current != "" && current != update
}

// The controller stops counting updatedReplicas once the update is the current revision.
func onUpdateRevision(o sluice.Object) int {
	revision := o.Text("status", "updateRevision")
	if revision != "" && o.Text("status", "currentRevision") == revision {
		return max(count(o, "currentReplicas"), count(o, "updatedReplicas"))
	}
	return count(o, "updatedReplicas")
}

func daemonSet(o sluice.Object) State {
	if unseen(o) || o.Field("status", "desiredNumberScheduled") == nil {
		return waiting("its controller has not seen the change yet")
	}
	want := count(o, "desiredNumberScheduled")
	updated := updatedNodes(o)
	switch {
	case count(o, "currentNumberScheduled") < want:
		return waiting("%d of %d replicas scheduled", count(o, "currentNumberScheduled"), want)
	case updated < want:
		return waiting("%d of %d replicas updated", updated, want)
	case count(o, "numberReady") < want:
		return waiting("%d of %d replicas ready", count(o, "numberReady"), want)
	case count(o, "numberAvailable") < want:
		return waiting("%d of %d replicas available", count(o, "numberAvailable"), want)
	}
	return State{Phase: Ready}
}

// updatedNodes returns on how many nodes a DaemonSet is as new as its controller will make it.
func updatedNodes(o sluice.Object) int {
	if o.Text("spec", "updateStrategy", "type") == "OnDelete" {
		return count(o, "desiredNumberScheduled")
	}
	return count(o, "updatedNumberScheduled")
}

// The controller decides that a Job has failed (FailureTarget) before the last pods have ended (Failed).
func job(o sluice.Object) State {
	for _, name := range []string{"Failed", "FailureTarget"} {
		if c, ok := conditionOf(o, name); ok && c.is("True") {
			return failed("%s", c.text("it failed"))
		}
	}
	if c, ok := conditionOf(o, "Complete"); ok && c.is("True") {
		return State{Phase: Ready}
	}
	if c, ok := conditionOf(o, "SuccessCriteriaMet"); ok && c.is("True") {
		return waiting("it has succeeded, and its last pods still end")
	}
	if c, ok := conditionOf(o, "Suspended"); ok && c.is("True") {
		return waiting("it is suspended")
	}
	return waiting("%d of %d completions, %d running", count(o, "succeeded"), o.Number(1, "spec", "completions"),
		count(o, "active"))
}

func pod(o sluice.Object) State {
	switch phase := o.Text("status", "phase"); phase {
	case "Succeeded":
		return State{Phase: Ready}
	case "Failed":
		return failed("%s", cmp.Or(o.Text("status", "message"), "it failed"))
	case "Running":
		return custom(o)
	default:
		return waiting("it is %s", cmp.Or(phase, "not started"))
	}
}
