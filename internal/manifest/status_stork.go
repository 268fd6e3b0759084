package manifest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// migration judges a Migration of Stork. Every run reaches the stage Final, even a failed one, so the stage only says
// that the run is over. PartialSuccess left something out. A run whose namespaces or selectors match nothing calls
// itself successful.
func migration(o sluice.Object) State {
	stage, status := o.Text("status", "stage"), o.Text("status", "status")
	volumes, resources := o.List("status", "volumes"), o.List("status", "resources")
	left := append(unsuccessful(volumes), unsuccessful(resources)...)
	switch {
	case status == "Failed" || status == "PartialSuccess":
		return failed("it ended as %s%s", status, because(left))
	case stage != "Final":
		return waiting("%s%s", progress(stage, status, volumes), because(left))
	case status != "Successful":
		return waiting("it is over but does not say how it ended")
	case len(left) > 0:
		return failed("it ended as Successful but left something out%s", because(left))
	case len(volumes)+len(resources) == 0:
		return failed("it ended as Successful but moved nothing: no volume or object matches its namespaces and selectors")
	}
	return State{Phase: Ready}
}

// unsuccessful names the volumes and objects that did not succeed.
func unsuccessful(entries []sluice.Object) []string {
	var names []string
	for _, e := range entries {
		switch status := e.Text("status"); status {
		case "Failed", "PartialSuccess":
			name := cmp.Or(e.Text("persistentVolumeClaim"), e.Text("kind")+"/"+e.Text("name"))
			names = append(names, fmt.Sprintf("%s is %s (%s)", name, status, cmp.Or(e.Text("reason"), "no reason given")))
		}
	}
	return names
}

// because joins the first few names; a namespace may hold hundreds.
func because(left []string) string {
	const shown = 3
	switch {
	case len(left) == 0:
		return ""
	case len(left) > shown:
		return fmt.Sprintf(": %s and %d more", strings.Join(left[:shown], ", "), len(left)-shown)
	}
	return ": " + strings.Join(left, ", ")
}

// progress leaves out the reasons of unfinished volumes: they contain a count of bytes, which always changes.
func progress(stage, status string, volumes []sluice.Object) string {
	if stage == "" {
		return "Stork has not started it"
	}
	text := "it is in stage " + stage + ", " + cmp.Or(status, "without a status")
	if len(volumes) == 0 {
		return text
	}
	done := 0
	for _, v := range volumes {
		if v.Text("status") == "Successful" {
			done++
		}
	}
	return fmt.Sprintf("%s, %d of %d volumes moved", text, done, len(volumes))
}
