package manifest

import (
	"cmp"
	"fmt"

	"github.com/sluice-cd/sluice"
)

// A Phase says whether an object has become what its spec asks for.
type Phase string

// The phases. A Failed object does not heal by waiting.
const (
	Ready      Phase = "Ready"
	InProgress Phase = "InProgress"
	Failed     Phase = "Failed"
)

// A State is an object's readiness. Message says what is missing or why it failed; it is "" if the object is ready.
type State struct {
	Phase   Phase
	Message string
}

var judges = map[string]func(sluice.Object) State{
	"apps/Deployment":        deployment,
	"apps/StatefulSet":       statefulSet,
	"apps/DaemonSet":         daemonSet,
	"batch/Job":              job,
	"/PersistentVolumeClaim": claim,
	"/Service":               service,
	"/Pod":                   pod,
	"apiextensions.k8s.io/CustomResourceDefinition": definition,
	"stork.libopenstorage.org/Migration":            migration,
}

// Status judges an object by its own status, with the rules of the kstatus library (sigs.k8s.io/cli-utils, pkg/kstatus)
// and two differences. A Job is ready when it is complete, not when it has started or is suspended. A StatefulSet is
// ready when every replica that its partition updates is ready on the wanted revision.
func Status(o sluice.Object) State {
	if o.Text("metadata", "deletionTimestamp") != "" {
		return waiting("it is being deleted")
	}
	if s, ok := general(o); ok {
		return s
	}
	if judge, ok := judges[group(o)+"/"+o.Text("kind")]; ok {
		return judge(o)
	}
	return custom(o)
}

func waiting(format string, args ...any) State {
	return State{InProgress, fmt.Sprintf(format, args...)}
}

func failed(format string, args ...any) State { return State{Failed, fmt.Sprintf(format, args...)} }

// general applies the conventions that every kind may follow.
func general(o sluice.Object) (State, bool) {
	seen, wanted := o.Number(-1, "status", "observedGeneration"), o.Number(-1, "metadata", "generation")
	if seen >= 0 && wanted >= 0 && seen < wanted {
		return waiting("its controller has not seen the change yet"), true
	}
	if c, ok := conditionOf(o, "Stalled"); ok && c.is("True") {
		return failed("%s", c.text("it is stalled")), true
	}
	if c, ok := conditionOf(o, "Reconciling"); ok && c.is("True") {
		return waiting("%s", c.text("it is being reconciled")), true
	}
	return State{}, false
}

func custom(o sluice.Object) State {
	for _, name := range []string{"Ready", "Available"} {
		c, ok := conditionOf(o, name)
		if ok && !c.is("True") {
			return waiting("%s", c.text("its condition "+name+" is "+c.status))
		}
		if ok {
			break
		}
	}
	return State{Phase: Ready}
}

// A condition is one entry of status.conditions.
type condition struct{ status, reason, message string }

func (c condition) is(status string) bool { return c.status == status }

func (c condition) text(absent string) string { return cmp.Or(c.message, c.reason, absent) }

func conditionOf(o sluice.Object, name string) (condition, bool) {
	for _, c := range o.List("status", "conditions") {
		if c.Text("type") == name {
			return condition{c.Text("status"), c.Text("reason"), c.Text("message")}, true
		}
	}
	return condition{}, false
}

func claim(o sluice.Object) State {
	switch phase := o.Text("status", "phase"); phase {
	case "Bound":
		return State{Phase: Ready}
	case "Lost":
		return failed("its volume is lost")
	default:
		return waiting("it is %s, not bound", cmp.Or(phase, "new"))
	}
}

func service(o sluice.Object) State {
	if o.Text("spec", "type") == "LoadBalancer" && o.Text("spec", "clusterIP") == "" {
		return waiting("it has no cluster address yet")
	}
	return State{Phase: Ready}
}

func definition(o sluice.Object) State {
	if c, ok := conditionOf(o, "NamesAccepted"); ok && c.is("False") {
		return failed("%s", c.text("its names are taken"))
	}
	c, ok := conditionOf(o, "Established")
	if ok && c.is("True") {
		return State{Phase: Ready}
	}
	if ok && c.is("False") && c.reason != "Installing" {
		return failed("%s", c.text("it cannot be established"))
	}
	return waiting("it is not established yet")
}
