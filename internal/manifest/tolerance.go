package manifest

import (
	"fmt"

	"github.com/sluice-cd/sluice"
)

// StatusWithin is [Status], except that as many pods of a workload may be unready as t tolerates. A pod that is missing
// or has an old version is not tolerated. The message of a workload that is ready then says how many pods are.
func StatusWithin(o sluice.Object, t sluice.Tolerance) State {
	state := Status(o)
	c, ok := counts[group(o)+"/"+o.Text("kind")]
	if !ok || state.Phase == Ready || o.Text("metadata", "deletionTimestamp") != "" || unseen(o) {
		return state
	}
	pods := c(o)
	may := t.Of(pods.want)
	switch {
	case may == 0:
		return state
	case pods.ready >= pods.want-may && pods.updated >= pods.through && pods.all <= pods.want:
		return State{Ready, Within(pods.ready, pods.want, may)}
	case state.Phase == Failed && canHeal(o, pods):
		state.Phase = InProgress
	}
	state.Message += fmt.Sprintf(" (%d may be unready)", may)
	return state
}

// Within says how many of so many pods are ready, and how many may be unready.
func Within(ready, pods, may int) string {
	return fmt.Sprintf("%d of %d pods ready (%d may be unready)", ready, pods, may)
}

// canHeal reports whether a workload with a pod that cannot become ready may still get enough others. Only the
// controller of a Deployment starts pods beside such a one.
func canHeal(o sluice.Object, pods podCount) bool {
	c, _ := conditionOf(o, "Progressing")
	return o.Text("kind") == "Deployment" && pods.ready > 0 && c.reason != "ProgressDeadlineExceeded"
}

// A podCount is what the controller of a workload counts.
type podCount struct {
	want, all, ready int
	updated, through int // how many are new, and how many are to be
}

var counts = map[string]func(sluice.Object) podCount{
	"apps/Deployment": func(o sluice.Object) podCount {
		want := o.Number(1, "spec", "replicas")
		ready := min(count(o, "readyReplicas"), available(o))
		return podCount{want, count(o, "replicas"), ready, count(o, "updatedReplicas"), want}
	},
	"apps/StatefulSet": func(o sluice.Object) podCount {
		ready := min(count(o, "readyReplicas"), available(o))
		return podCount{o.Number(1, "spec", "replicas"), count(o, "replicas"), ready, onUpdateRevision(o), throughOf(o)}
	},
	"apps/DaemonSet": func(o sluice.Object) podCount {
		want := count(o, "desiredNumberScheduled")
		ready := min(count(o, "numberReady"), count(o, "numberAvailable"))
		return podCount{want, count(o, "currentNumberScheduled"), ready, updatedNodes(o), want}
	},
}
