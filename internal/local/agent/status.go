package agent

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// statusOf returns the stored status of an object as its type.
func statusOf[T any](e *entry) (T, error) {
	var s T
	b, err := json.Marshal(e.Object.Field("status"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

// maxFaults is the number of faults in a row after which a pod that is not ready counts as stalled.
const maxFaults = 5

// stalled names a pod that cannot become ready and says why, "" if there is none.
func stalled(pods []*pod) string {
	for _, p := range pods {
		for _, c := range p.containers {
			if !p.stopping() && !c.ready && c.faults >= maxFaults {
				return "pod " + p.Name + " is not ready: " + p.why()
			}
		}
	}
	return ""
}

// why says why the pod is not ready or how it failed, "" if it is ready or has succeeded.
func (p *pod) why() string {
	var reasons []string
	for _, c := range p.containers {
		if p.waits(c) || c.role == initial && c.hasSucceeded() {
			continue
		}
		failed := c.rec.ExitCode != nil && *c.rec.ExitCode != 0
		switch {
		case failed && (p.ended() || p.stopping()):
			reasons = append(reasons, c.spec.Name+": "+exitedWith(*c.rec.ExitCode))
		case c.role == initial && c.rec.Process != nil && !p.stopping():
			reasons = append(reasons, "init container "+c.spec.Name+" runs")
		case !p.ended() && !p.stopping() && !c.ready && c.reason != "":
			reasons = append(reasons, c.spec.Name+": "+c.reason)
		}
	}
	if p.stopping() {
		reasons = append(reasons, "stopping: "+p.Reason)
	}
	return strings.Join(reasons, "; ")
}

// waits reports whether the container is not started yet because an init container has not ended.
func (p *pod) waits(c *container) bool {
	return c.role == lasting && c.rec.StartedAt.IsZero() &&
		slices.ContainsFunc(p.inRole(initial), func(c *container) bool { return !c.hasSucceeded() })
}

func exitedWith(code int) string { return "exited with status " + strconv.Itoa(code) }
