package kubernetes

import (
	"cmp"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A creationEvent is as much as is kept of an event that says why a pod could not be created.
type creationEvent struct {
	Object struct {
		Kind string `json:"kind"`
		UID  string `json:"uid"`
	} `json:"involvedObject"`
	Message        string      `json:"message"`
	FirstTimestamp metav1.Time `json:"firstTimestamp"`
	LastTimestamp  metav1.Time `json:"lastTimestamp"`
}

// failedCreations selects such events, of one object if uid is not "".
func failedCreations(uid string) url.Values {
	selector := "reason=FailedCreate"
	if uid != "" {
		selector += ",involvedObject.uid=" + uid
	}
	return url.Values{"fieldSelector": {selector}}
}

// refusal returns what the event says since the workload was last written.
func (e creationEvent) refusal(written time.Time) refusal {
	if e.LastTimestamp.Time.Before(written) {
		return refusal{}
	}
	since := e.FirstTimestamp.Time
	if written.After(since) {
		since = written
	}
	return refusal{e.Message, since}
}

// isLater reports whether the event tells of something after the other.
func (e creationEvent) isLater(other creationEvent) bool {
	return cmp.Compare(e.LastTimestamp.Unix(), other.LastTimestamp.Unix()) >= 0
}

type eventPage struct {
	Metadata metav1.ListMeta `json:"metadata"`
	Items    []creationEvent `json:"items"`
}

func (p *eventPage) next() string { return p.Metadata.Continue }
