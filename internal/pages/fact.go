package pages

import (
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

// mostFacts is how many of the newest facts a page shows. The document of the page and the CLI have all of them.
const mostFacts = 120

// A fact is an event of the log in words.
type fact struct {
	Seq   sluice.Seq
	At    When
	Step  sluice.StepID // "": of the whole deployment
	Text  string
	Class string
}

// factOf says what an event means. s is the deployment after it.
func factOf(s *engine.State, e sluice.Event) fact {
	text := strings.Join(present.Sentences(s, e), "\n")
	if e.Kind == sluice.StepProgressed && e.Progress != nil && e.Progress.State == sluice.Waiting {
		text = waitsText(*e.Progress)
	}
	text, _, _ = strings.Cut(text, "; to continue: sluice") // here are buttons for that
	text = strings.ReplaceAll(text, string(e.Step)+"  ", "")
	if e.Step == "" && e.Signal != nil {
		text = strings.TrimPrefix(text, string(e.Signal.Step)+"  ")
	}
	f := fact{Seq: e.Seq, At: When{At: e.At}, Step: e.Step, Text: whole(text), Class: factClass(e)}
	if e.Signal != nil && f.Step == "" {
		f.Step = e.Signal.Step
	}
	return f
}

func waitsText(p sluice.Progress) string {
	text := p.Message
	if text == "" {
		text = "waits"
	}
	if p.Wait != nil && !p.Wait.Until.IsZero() {
		text += ", until " + p.Wait.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return text
}

func factClass(e sluice.Event) string {
	switch e.Kind {
	case sluice.StepFailed, sluice.StepUndoFailed, sluice.StepFinishFailed:
		return "bad"
	case sluice.StepUndoing, sluice.StepUndone:
		return "back"
	case sluice.SignalReceived:
		return "person"
	case sluice.StepRetrying:
		return "wait"
	case sluice.DeploymentEnded:
		return signOf(e.Outcome).Class
	}
	return ""
}
