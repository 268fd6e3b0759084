package notify

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// cdVersion is the version of CDEvents, and cdTypes are its types. A deployment is a pipelineRun there. The types of
// services do not fit: such an event is about one artifact, and a target gets as many images as its manifests name.
const cdVersion = "0.4.1"

var cdTypes = map[sluice.NotificationKind]string{
	sluice.NotifyQueued:     "dev.cdevents.pipelinerun.queued.0.2.0",
	sluice.NotifyStarted:    "dev.cdevents.pipelinerun.started.0.2.0",
	sluice.NotifySucceeded:  "dev.cdevents.pipelinerun.finished.0.2.0",
	sluice.NotifyFailed:     "dev.cdevents.pipelinerun.finished.0.2.0",
	sluice.NotifyRolledBack: "dev.cdevents.pipelinerun.finished.0.2.0",
	sluice.NotifyCancelled:  "dev.cdevents.pipelinerun.finished.0.2.0",
	sluice.NotifyOvertaken:  "dev.cdevents.pipelinerun.finished.0.2.0",
}

// cdOutcomes say how a pipelineRun ended; "error" is one that did not run to its end.
var cdOutcomes = map[sluice.NotificationKind]string{
	sluice.NotifySucceeded: "success", sluice.NotifyFailed: "failure", sluice.NotifyRolledBack: "failure",
	sluice.NotifyCancelled: "error", sluice.NotifyOvertaken: "error",
}

type cdData struct {
	Context struct {
		Version   string    `json:"version"`
		ID        string    `json:"id"`
		Source    string    `json:"source"`
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string `json:"id"`
		Source  string `json:"source"`
		Type    string `json:"type"`
		Content struct {
			PipelineName string `json:"pipelineName"`
			URL          string `json:"url"`
			Outcome      string `json:"outcome,omitempty"`
			Errors       string `json:"errors,omitempty"`
		} `json:"content"`
	} `json:"subject"`
	CustomData            Data   `json:"customData"`
	CustomDataContentType string `json:"customDataContentType"`
}

// cdEvent returns the CDEvent that the notification is, false if there is none.
func cdEvent(n Notification, source string) ([]byte, bool, error) {
	kind, ok := cdTypes[n.Kind]
	if !ok {
		return nil, false, nil
	}
	d := cdData{CustomData: n.Data, CustomDataContentType: "application/json"}
	d.Context.Version, d.Context.ID, d.Context.Source, d.Context.Type = cdVersion, n.ID, source, kind
	d.Context.Timestamp = n.At
	d.Subject.ID, d.Subject.Source, d.Subject.Type = string(n.Data.Deployment), source, "pipelineRun"
	d.Subject.Content.PipelineName, d.Subject.Content.URL = n.Data.Application, n.Data.URL
	if d.Subject.Content.Outcome = cdOutcomes[n.Kind]; d.Subject.Content.Outcome == "failure" {
		d.Subject.Content.Errors = n.Title
	}
	event, err := marshal(newEvent(n, source, kind), d)
	return event, true, err
}
