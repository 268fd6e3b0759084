package appending

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A Call is a call of Append, checked and encoded before a transaction begins, so that little is left to do in it.
type Call struct {
	ID      sluice.DeploymentID
	After   sluice.Seq
	Bodies  []string          // the events as JSON, numbered from After+1
	Letters []sluice.LetterID // that the events settle

	first   *sluice.Event // the deployment's first event, if it is among them
	begins  bool          // an event starts the deployment, which was queued
	reopens bool          // the first event reopens the deployment, which had ended
	ended   *sluice.Event // the last event, if it ends the deployment
}

// New numbers and encodes the events, at least one, and refuses as Invalid those that no log can hold. An event without
// a time or a kind is one of them: a store reads no clock.
func New(id sluice.DeploymentID, after sluice.Seq, events []sluice.Event) (*Call, error) {
	if id == "" {
		return nil, sluice.Errorf(sluice.Invalid, "an event has to belong to a deployment")
	}
	c := &Call{ID: id, After: after, Bodies: make([]string, len(events))}
	for i, e := range events {
		e.Seq = after + sluice.Seq(i) + 1
		if err := c.place(e, i == len(events)-1); err != nil {
			return nil, err
		}
		body, err := json.Marshal(e)
		if err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "event %d of deployment %s cannot be written as JSON: %w", e.Seq, id, err)
		}
		c.Bodies[i] = strings.ToValidUTF8(string(body), "\ufffd") // raw JSON of others may hold any bytes
	}
	return c, nil
}

// Last is the number of the last event.
func (c *Call) Last() sluice.Seq { return c.After + sluice.Seq(len(c.Bodies)) }

// Application is that of the plan, if the call brings one, otherwise "".
func (c *Call) Application() string {
	if c.first == nil {
		return ""
	}
	return c.first.Plan.Application
}

// Competes reports whether the call depends on the other deployments of its application.
func (c *Call) Competes() bool { return c.first != nil || c.begins || c.reopens }

// place checks that an event may have its place in the log.
func (c *Call) place(e sluice.Event, last bool) error {
	if e.At.IsZero() || e.Kind == "" {
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s has no time or no kind", e.Seq, c.ID)
	}
	first, starts := e.Seq == 1, e.Kind == sluice.DeploymentStarted
	switch {
	case first != (e.Kind == sluice.DeploymentQueued || starts && (first || e.Plan != nil)):
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s: the first event, and no other, is %s or %s",
			e.Seq, c.ID, e.Kind, sluice.DeploymentQueued, sluice.DeploymentStarted)
	case first && e.Plan == nil:
		return sluice.Errorf(sluice.Invalid, "deployment %s starts without a plan", c.ID)
	case starts && (c.begins || c.first != nil && c.first.Kind == sluice.DeploymentStarted):
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s, and so is one before it", e.Seq, c.ID, e.Kind)
	case e.Kind == sluice.DeploymentReopened && e.Seq != c.After+1:
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s, but others come with it before",
			e.Seq, c.ID, e.Kind)
	case e.Kind == sluice.DeploymentEnded && !last:
		return sluice.Errorf(sluice.Invalid, "event %d of deployment %s is %s, but more follow", e.Seq, c.ID, e.Kind)
	}
	return c.note(e)
}

// note keeps what the decision needs of an event.
func (c *Call) note(e sluice.Event) error {
	if slices.Contains(c.Letters, e.Letter) {
		return settled(e.Letter, c.ID)
	}
	if e.Letter != 0 {
		c.Letters = append(c.Letters, e.Letter)
	}
	if e.Seq == 1 {
		c.first = &e
	}
	c.begins = c.begins || e.Kind == sluice.DeploymentStarted && e.Seq != 1
	c.reopens = c.reopens || e.Kind == sluice.DeploymentReopened
	if e.Kind == sluice.DeploymentEnded {
		c.ended = &e
	}
	return nil
}
