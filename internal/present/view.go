package present

import (
	"io"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A Choice is what a person asked for at a live view.
type Choice string

// The choices.
const (
	ChoiceDetach   Choice = "detach"
	ChoiceCancel   Choice = "cancel"
	ChoiceRollBack Choice = "rollBack"
	ChoiceLeave    Choice = "leave"
	ChoiceApprove  Choice = "approve" // the only step that waits for a person or a time, and takes no role
)

// A View shows a deployment while it runs.
type View interface {
	// Show is called with every update, after s has applied it. A view MUST NOT keep s.
	Show(s *engine.State, u engine.Update)
	// Choices yields what a person asks for. It is nil if the view cannot ask.
	Choices() <-chan Choice
	// Close ends the view. Nothing is shown after it.
	Close() error
}

// mute is the part of a view that asks nothing and holds nothing.
type mute struct{}

func (mute) Choices() <-chan Choice { return nil }

func (mute) Close() error { return nil }

// A JSONView prints one JSON object a line for each recorded event.
type JSONView struct {
	mute
	out io.Writer
}

// NewJSONView prints to out.
func NewJSONView(out io.Writer) JSONView { return JSONView{out: out} }

// An OutcomeLine is the last line of JSON output.
type OutcomeLine struct {
	Deployment  sluice.DeploymentID      `json:"deployment"`
	Application string                   `json:"application"`
	Outcome     sluice.Status            `json:"outcome"`
	Targets     map[string]sluice.Status `json:"targets"`
	OvertakenBy sluice.DeploymentID      `json:"overtakenBy,omitempty"`
	ExitStatus  int                      `json:"exitStatus"`
	Undecided   []UndecidedStep          `json:"undecided,omitempty"` // see [Undecided]
	Rehearsed   []sluice.Rehearsed       `json:"rehearsed,omitempty"` // what a rehearsal simulated
	Real        []string                 `json:"real,omitempty"`      // what it did for real
}

// Show prints the event of the update, if it has one.
func (v JSONView) Show(s *engine.State, u engine.Update) {
	if u.Event == nil {
		return
	}
	_ = jsonLine(v.out, "Event", EventLine{s.ID, eventOf(*u.Event)}) // the reader went away
}

// Outcome prints the last line: how the deployment ended, and the exit status that says so.
func (v JSONView) Outcome(s *engine.State, exitStatus int) error {
	line := OutcomeLine{
		Deployment: s.ID, Application: s.Plan.Application, Outcome: s.Status(),
		Targets: map[string]sluice.Status{}, OvertakenBy: s.Overtaker, Undecided: Undecided(s), ExitStatus: exitStatus,
	}
	line.Rehearsed, line.Real = rehearsed(s)
	for _, t := range s.Plan.Targets {
		line.Targets[t.Name] = s.Target(t.Name)
	}
	return jsonLine(v.out, "Outcome", line)
}
