package present

import "github.com/sluice-cd/sluice/internal/engine"

// A Choice is what a person asked for at a live view.
type Choice string

// The choices.
const (
	ChoiceDetach   Choice = "detach"
	ChoiceCancel   Choice = "cancel"
	ChoiceRollBack Choice = "rollBack"
	ChoiceLeave    Choice = "leave"
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
