package notify

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
)

// Bounds of texts from outside, in characters.
const (
	maxName = 200
	maxText = 500
)

// A Notification is what receivers are told about one event.
type Notification struct {
	ID    string // of the event: the same whenever it is told
	At    time.Time
	Kind  sluice.NotificationKind
	Title string   // one line
	Lines []string // more, one fact each
	Data  Data
}

// Data is what programs are told: the data of a CloudEvent. It holds nothing from databases, no log lines and no
// secrets. schema/notification.json describes it.
type Data struct {
	Deployment  sluice.DeploymentID `json:"deployment"`
	Application string              `json:"application"`
	Seq         sluice.Seq          `json:"seq"`     // of the event in the deployment
	Status      sluice.Status       `json:"status"`  // of the deployment after the event
	Targets     []string            `json:"targets"` // of the deployment
	StartedBy   string              `json:"startedBy,omitempty"`
	Rollback    bool                `json:"rollback,omitempty"` // it returns targets to an earlier release
	OvertakenBy sluice.DeploymentID `json:"overtakenBy,omitempty"`
	Target      string              `json:"target,omitempty"` // that the event is about
	Step        sluice.StepID       `json:"step,omitempty"`
	StepKind    sluice.StepKind     `json:"stepKind,omitempty"`
	Signal      string              `json:"signal,omitempty"` // the decision of a person
	By          string              `json:"by,omitempty"`     // who sent it
	Reason      string              `json:"reason,omitempty"`
	Message     string              `json:"message,omitempty"` // of a step that waits
	Roles       []string            `json:"roles,omitempty"`   // any of which may decide
	Until       time.Time           `json:"until,omitzero"`    // a wait ends by itself
	Failure     *Failure            `json:"failure,omitempty"`
	URL         string              `json:"url"` // of the deployment's page
}

// A Failure is why a step failed, without the lines of pods.
type Failure struct {
	Code    sluice.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

// A speaker writes notifications.
type speaker struct {
	address string              // of the server
	redact  func(string) string // removes secrets
}

// about says what the event of the kind means. s is the deployment after the event.
func (sp speaker) about(s *engine.State, kind sluice.NotificationKind, e sluice.Event) Notification {
	n := Notification{ID: fmt.Sprintf("%s/%d", s.ID, e.Seq), At: e.At, Kind: kind, Data: sp.data(s, e)}
	n.Title = sp.name(s.Plan.Application) + ": " + sentence(kind, n.Data)
	n.Lines = lines(kind, n.Data)
	return n
}

func (sp speaker) data(s *engine.State, e sluice.Event) Data {
	d := Data{
		Deployment: s.ID, Application: sp.name(s.Plan.Application), Seq: e.Seq, Status: s.Status(), Targets: []string{},
		StartedBy: sp.name(s.StartedBy.Name), OvertakenBy: e.OvertakenBy,
		URL: sp.address + "/deployments/" + url.PathEscape(string(s.ID)),
	}
	for _, t := range s.Plan.Targets {
		d.Targets = append(d.Targets, sp.name(t.Name))
		d.Rollback = d.Rollback || t.Release != ""
	}
	if e.Step != "" {
		sp.step(&d, s, e.Step)
	}
	if f := e.Failure; f != nil {
		d.Failure = &Failure{f.Code, sp.text(f.Message), sp.text(f.Hint)}
	}
	if sig := e.Signal; sig != nil && e.Kind == sluice.SignalReceived {
		d.Signal, d.By, d.Reason, d.Target = sig.Kind, sp.name(sig.By.Name), sp.text(sig.Reason), sp.name(sig.Target)
		if sig.Step != "" {
			sp.step(&d, s, sig.Step)
		}
	}
	if p := e.Progress; needsPerson(p) {
		d.Message, d.Until = sp.text(p.Message), p.Wait.Until
		for _, r := range p.Wait.Roles {
			d.Roles = append(d.Roles, sp.name(r))
		}
	}
	return d
}

func (sp speaker) step(d *Data, s *engine.State, id sluice.StepID) {
	d.Step, d.Target = sluice.StepID(sp.name(string(id))), sp.name(id.Target())
	if run := s.Steps[id]; run != nil {
		d.StepKind = run.Plan.Kind
	}
}

// name returns a name from outside on one line.
func (sp speaker) name(text string) string { return visible(sp.redact(text), maxName) }

// text returns the first line of a text from outside. The lines after it are what pods or servers wrote, which may be
// anything.
func (sp speaker) text(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(sp.redact(text)), "\n")
	return visible(first, maxText)
}

// visible replaces what cannot be seen or would change the direction of a text, and cuts off what is too long.
func visible(text string, most int) string {
	seen := []rune(strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) && r != unicode.ReplacementChar {
			return r
		}
		return ' '
	}, text))
	if len(seen) > most {
		return string(seen[:most-1]) + "…"
	}
	return string(seen)
}

// sentences say what happened; step and target events begin with their name.
var sentences = map[sluice.NotificationKind]string{
	sluice.NotifyQueued:      "deployment queued",
	sluice.NotifyStarted:     "deployment started",
	sluice.NotifyPaused:      "paused",
	sluice.NotifyContinued:   "continued",
	sluice.NotifyReopened:    "the undo goes on",
	sluice.NotifySucceeded:   "deployment succeeded",
	sluice.NotifyFailed:      "deployment failed",
	sluice.NotifyRolledBack:  "deployment rolled back",
	sluice.NotifyCancelled:   "deployment cancelled",
	sluice.NotifyOvertaken:   "deployment overtaken by a newer one",
	sluice.NotifyRollingBack: "is being rolled back",
	sluice.NotifyWaiting:     "waits for a person",
	sluice.NotifyStepFailed:  "failed",
	sluice.NotifyUndoFailed:  "could not be undone",
	sluice.NotifyLeftBehind:  "left something behind",
}

// decisions say what a signal did to a step.
var decisions = map[string]string{
	sluice.SignalApprove: "approved", sluice.SignalReject: "rejected", sluice.SignalRollForward: "continued early",
	sluice.SignalPromote: "promoted at once",
}

func sentence(kind sluice.NotificationKind, d Data) string {
	text := sentences[kind]
	switch kind {
	case sluice.NotifyDecided:
		text = decisions[d.Signal]
	case sluice.NotifyQueued, sluice.NotifyStarted:
		if d.Rollback {
			text = strings.Replace(text, "deployment", "rollback", 1)
		}
	case sluice.NotifyRollingBack:
		return d.Target + " " + text
	}
	subject := d.Target
	if d.Step != "" {
		subject = string(d.Step)
	}
	return strings.TrimSpace(subject + " " + text)
}

// lines are the facts that a person wants besides the sentence.
func lines(kind sluice.NotificationKind, d Data) []string {
	var all []string
	add := func(label, text string) {
		if text != "" {
			all = append(all, label+": "+text)
		}
	}
	add("message", d.Message)
	if d.Failure != nil {
		add("reason", d.Failure.Message)
		add("hint", d.Failure.Hint)
	}
	if d.By != "" {
		add("by", strings.TrimSuffix(d.By+": "+d.Reason, ": "))
	}
	begins := []sluice.NotificationKind{sluice.NotifyQueued, sluice.NotifyStarted}
	if slices.Contains(begins, kind) {
		add("started by", d.StartedBy)
		add("targets", strings.Join(d.Targets, ", "))
	}
	if kind == sluice.NotifyWaiting {
		add("may decide", strings.Join(d.Roles, ", "))
		add("to decide", fmt.Sprintf("sluice approve %s %s", d.Deployment, d.Step))
		if !d.Until.IsZero() {
			add("until", d.Until.UTC().Format(time.RFC3339))
		}
	}
	add("overtaken by", string(d.OvertakenBy))
	add("deployment", string(d.Deployment))
	return all
}

// Test returns a notification about no deployment, for a person who tries a receiver out.
func Test(to config.Receiver, id string, at time.Time, address string) Notification {
	return Notification{
		ID: id, At: at, Kind: "test", Title: "Sluice: a test of the receiver " + visible(to.Name, maxName),
		Lines: []string{"sent by: sluice notify test"},
		Data: Data{
			Deployment: "test", Application: "test", Status: sluice.StatusSucceeded, Targets: []string{}, URL: address,
		},
	}
}
