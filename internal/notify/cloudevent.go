package notify

import (
	"encoding/json"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/sluice-cd/sluice"
)

// TypePrefix begins the types of Sluice's CloudEvents; the kind of notification follows it.
const TypePrefix = "io.github.sluice-cd."

// Schema is the address of the schema of [Data].
const Schema = "https://raw.githubusercontent.com/sluice-cd/sluice/main/schema/notification.json"

// cloudEvent returns a CloudEvent in JSON.
func cloudEvent(n Notification, source string) ([]byte, error) {
	e := newEvent(n, source, TypePrefix+string(n.Kind))
	e.SetDataSchema(Schema)
	return marshal(e, n.Data)
}

func newEvent(n Notification, source, kind string) event.Event {
	e := event.New()
	e.SetID(n.ID)
	e.SetSource(source)
	e.SetType(kind)
	e.SetSubject(string(n.Data.Deployment))
	e.SetTime(n.At)
	return e
}

func marshal(e event.Event, data any) ([]byte, error) {
	err := e.SetData(event.ApplicationJSON, data)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "event %s is no CloudEvent: %w", e.ID(), err)
	}
	return json.Marshal(e)
}
