package main

import (
	"encoding/json"
	"io"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A jsonView prints one object a line for every recorded event.
type jsonView struct{ enc *json.Encoder }

func newJSONView(out io.Writer) jsonView {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return jsonView{enc}
}

type eventLine struct {
	Deployment sluice.DeploymentID `json:"deployment"`
	sluice.Event
}

// An outcomeLine is the last line.
type outcomeLine struct {
	Deployment  sluice.DeploymentID      `json:"deployment"`
	Application string                   `json:"application"`
	Outcome     sluice.Status            `json:"outcome"`
	Targets     map[string]sluice.Status `json:"targets"`
	ExitStatus  int                      `json:"exitStatus"`
	Rehearsed   []sluice.Rehearsed       `json:"rehearsed,omitempty"` // what a rehearsal did not do for real
	Real        []string                 `json:"real,omitempty"`      // what it did
}

func (v jsonView) Show(s *engine.State, u engine.Update) {
	if u.Event == nil {
		return
	}
	_ = v.enc.Encode(eventLine{s.ID, *u.Event}) // whoever read it has seen enough
}

func (v jsonView) Choices() <-chan choice { return nil }

func (v jsonView) Close() error { return nil }

func (v jsonView) outcome(s *engine.State) error {
	line := outcomeLine{
		Deployment: s.ID, Application: s.Plan.Application, Outcome: s.Status(),
		Targets: map[string]sluice.Status{}, ExitStatus: outcomeStatus(s.Outcome),
	}
	line.Rehearsed, line.Real = rehearsed(s)
	for _, t := range s.Plan.Targets {
		line.Targets[t.Name] = s.Target(t.Name)
	}
	return v.enc.Encode(line)
}
