package agent

import (
	"encoding/json"
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

// why says why the pod is not ready, "" if it is.
func (p *pod) why() string {
	if p.stopping() {
		return "stopping: " + p.Reason
	}
	var reasons []string
	for _, c := range p.containers {
		if !c.ready && c.reason != "" {
			reasons = append(reasons, c.spec.Name+": "+c.reason)
		}
	}
	return strings.Join(reasons, "; ")
}
