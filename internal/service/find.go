package service

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// IsRunning reports whether the deployment has started and not ended.
func IsRunning(d sluice.Deployment) bool { return d.Outcome == "" }

func hasEnded(d sluice.Deployment) bool { return d.Outcome != "" && d.Outcome != sluice.StatusQueued }

// Find returns the deployment that arg is the beginning of. Without arg it returns the only one that fits. NotFound:
// there is none; Invalid: there are several.
func Find(list []sluice.Deployment, arg string, fits func(sluice.Deployment) bool) (sluice.Deployment, error) {
	var found []sluice.Deployment
	for _, d := range list {
		if string(d.ID) == arg {
			return d, nil
		}
		if arg == "" && fits(d) || arg != "" && strings.HasPrefix(string(d.ID), arg) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(list) == 0:
		return sluice.Deployment{}, sluice.Errorf(sluice.NotFound, "nothing was deployed from here yet").
			WithHint("deploy with: sluice run -f deploy.yaml")
	case len(found) == 0 && arg == "":
		return sluice.Deployment{}, sluice.Errorf(sluice.NotFound, "no deployment fits").
			WithHint("see them with: sluice status")
	case len(found) == 0:
		return sluice.Deployment{}, sluice.Errorf(sluice.NotFound, "there is no deployment %q", arg).
			WithHint("see them with: sluice status")
	}
	var texts []string
	for _, d := range found {
		texts = append(texts, fmt.Sprintf("%s (%s)", d.ID, d.Application))
	}
	return sluice.Deployment{}, sluice.Errorf(sluice.Invalid, "%d deployments fit: %s",
		len(found), strings.Join(texts, ", ")).WithHint("name one of them")
}

// FindCheckpoint returns the checkpoint that arg is the beginning of.
func FindCheckpoint(list []sluice.Checkpoint, arg string) (sluice.Checkpoint, error) {
	var found []sluice.Checkpoint
	for _, c := range list {
		if string(c.ID) == arg {
			return c, nil
		}
		if arg != "" && strings.HasPrefix(string(c.ID), arg) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return sluice.Checkpoint{}, sluice.Errorf(sluice.NotFound, "there is no checkpoint %q", arg).
			WithHint("see them with: sluice data list")
	case 1:
		return found[0], nil
	}
	return sluice.Checkpoint{}, sluice.Errorf(sluice.Invalid, "%d checkpoints begin with %q", len(found), arg).
		WithHint("write more of the name")
}
