package manifest

import "github.com/sluice-cd/sluice"

func claim(o sluice.Object) State {
	switch phase := o.Text("status", "phase"); phase {
	case "Bound":
		return State{Phase: Ready}
	case "Lost":
		return failed("its volume is lost")
	default:
		return waiting("it is %s, not bound", or(phase, "new"))
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
