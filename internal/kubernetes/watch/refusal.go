package watch

import (
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// A creationFailure is the part of a FailedCreate event that is kept: why a pod could not be created.
type creationFailure struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Object struct {
		Kind string `json:"kind"`
		UID  string `json:"uid"`
	} `json:"involvedObject"`
	Message        string      `json:"message"`
	FirstTimestamp metav1.Time `json:"firstTimestamp"`
	LastTimestamp  metav1.Time `json:"lastTimestamp"`
}

// creationFailures selects such events, those of one object if uid is not "".
func creationFailures(uid string) url.Values {
	selector := "reason=FailedCreate"
	if uid != "" {
		selector += ",involvedObject.uid=" + uid
	}
	return url.Values{"fieldSelector": {selector}}
}

// since returns the refusal, unless it is older than the last write of the workload.
func (e creationFailure) since(written time.Time) refusal {
	if e.LastTimestamp.Time.Before(written) {
		return refusal{}
	}
	since := e.FirstTimestamp.Time
	if written.After(since) {
		since = written
	}
	return refusal{e.Message, since}
}

// isLater reports whether the event is at least as new as the other.
func (e creationFailure) isLater(other creationFailure) bool {
	return e.LastTimestamp.Unix() >= other.LastTimestamp.Unix()
}

// A refusal is why the API server refuses to create pods of a workload.
type refusal struct {
	message string
	since   time.Time
}

// isFinal reports whether a rule is the reason, so that another try will be refused too.
func (r refusal) isFinal() bool {
	rules := []string{"forbidden", "denied the request", "is invalid"}
	return slices.ContainsFunc(rules, func(words string) bool { return strings.Contains(r.message, words) })
}

// replicaFailure returns the refusal that a Deployment or ReplicaSet reports itself.
func replicaFailure(o sluice.Object) refusal {
	for _, c := range o.List("status", "conditions") {
		if c.Text("type") == "ReplicaFailure" && c.Text("status") == "True" {
			return refusal{c.Text("message"), timeOf(c.Text("lastTransitionTime"))}
		}
	}
	return refusal{}
}

func timeOf(s string) time.Time {
	t, _ := time.Parse(time.RFC3339, s) // the zero time if there is none
	return t
}
