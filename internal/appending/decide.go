package appending

import (
	"encoding/json"
	"time"

	"github.com/sluice-cd/sluice"
)

// Records are what a transaction sees. An error is one of the store, and goes to the caller of Decide as it is.
type Records interface {
	// Head returns where the deployment's log ends; the zero Head if there is none. A store that remembers an earlier Head
	// with the Seq that is expected may return it. AnySeq expects nothing.
	Head(id sluice.DeploymentID, expected sluice.Seq) (Head, error)
	// Listed returns the application and the outcome of a deployment that exists.
	Listed(id sluice.DeploymentID) (application string, outcome sluice.Status, err error)
	// Unended returns the application's deployment that is queued, or with an empty status the one that runs; "" if there
	// is none.
	Unended(application string, status sluice.Status) (sluice.DeploymentID, error)
	// IsOpen reports whether the letter is one to the deployment that is not settled.
	IsOpen(letter sluice.LetterID, id sluice.DeploymentID) (bool, error)
}

// A Head is where the log of a deployment ends.
type Head struct {
	Seq   sluice.Seq // of the last event, 0 if there is none
	Ended bool
}

// AnySeq is for those who accept whatever was appended meanwhile.
const AnySeq sluice.Seq = -1

// A Change is what the store does for a call that is not refused, in this order: it ends the overtaken deployment,
// lists the new one, changes the list for one that begins or ends, settles the letters and adds the events.
type Change struct {
	*Call
	Overtaken *Overtaken         // nil: none
	Lists     *sluice.Deployment // a new one; nil: it is listed already
	Begins    bool               // it runs from now on, and was queued or had ended
	Ends      *End               // nil: it goes on
}

// An End is what the list shows of the end of a deployment.
type End struct {
	ID      sluice.DeploymentID
	At      time.Time
	Outcome sluice.Status
}

// An Overtaken is a queued deployment that ends because a newer one is queued, and the event that says so. It comes
// before the events of the call.
type Overtaken struct {
	End
	Seq  sluice.Seq
	Body string
}

// Decide returns what the call changes, or the refusal. It asks everything before the store changes anything, so a
// refusal leaves the transaction as it is.
func (c *Call) Decide(r Records) (*Change, error) {
	head, err := r.Head(c.ID, c.After)
	if err != nil {
		return nil, err
	}
	if err := c.follows(head); err != nil {
		return nil, err
	}
	if err := c.mayGoOn(r); err != nil {
		return nil, err
	}
	for _, letter := range c.Letters {
		open, err := r.IsOpen(letter, c.ID)
		if err != nil {
			return nil, err
		}
		if !open {
			return nil, settled(letter, c.ID)
		}
	}
	change := &Change{Call: c, Begins: c.begins || c.reopens}
	if c.ended != nil {
		change.Ends = &End{ID: c.ID, At: c.ended.At, Outcome: c.ended.Outcome}
	}
	return change, c.enter(r, change)
}

// follows refuses events that do not follow the log's last one.
func (c *Call) follows(h Head) error {
	switch {
	case h.Ended && !c.reopens:
		return ended(c.ID)
	case h.Seq == 0 && c.After != 0:
		return Unknown(c.ID)
	case h.Seq != c.After:
		return sluice.Errorf(sluice.Conflict, "deployment %s has %d events, so events after number %d cannot be added",
			c.ID, h.Seq, c.After)
	case c.reopens && !h.Ended:
		return sluice.Errorf(sluice.Conflict, "deployment %s has not ended", c.ID)
	}
	return nil
}

// mayGoOn refuses to start a deployment that is not queued, or while another one of its application runs, and to reopen
// one while another one runs or is queued.
func (c *Call) mayGoOn(r Records) error {
	if !c.begins && !c.reopens {
		return nil
	}
	application, outcome := c.Application(), sluice.StatusQueued // if its first event queues it
	if c.first == nil {
		var err error
		if application, outcome, err = r.Listed(c.ID); err != nil {
			return err
		}
	}
	if c.begins && outcome != sluice.StatusQueued {
		return sluice.Errorf(sluice.Conflict, "deployment %s is not queued", c.ID)
	}
	if c.reopens {
		return mustBeFree(r, application)
	}
	return mustNotRun(r, application)
}

// enter lists the deployment of a first event.
func (c *Call) enter(r Records, change *Change) (err error) {
	if c.first == nil {
		return nil
	}
	d := &sluice.Deployment{ID: c.ID, Application: c.first.Plan.Application, StartedAt: c.first.At}
	if c.first.Actor != nil {
		d.StartedBy = c.first.Actor.Name
	}
	change.Lists = d
	if c.first.Kind != sluice.DeploymentQueued {
		return mustBeFree(r, d.Application)
	}
	d.Outcome = sluice.StatusQueued
	change.Overtaken, err = c.overtake(r, d.Application)
	return err
}

// overtake ends the application's deployment that was queued before.
func (c *Call) overtake(r Records, application string) (*Overtaken, error) {
	id, err := r.Unended(application, sluice.StatusQueued)
	if err != nil || id == "" {
		return nil, err
	}
	head, err := r.Head(id, AnySeq)
	if err != nil {
		return nil, err
	}
	end := sluice.Event{Seq: head.Seq + 1, At: c.first.At, Kind: sluice.DeploymentEnded,
		Outcome: sluice.StatusOvertaken, OvertakenBy: c.ID}
	body, err := json.Marshal(end)
	return &Overtaken{End: End{ID: id, At: end.At, Outcome: end.Outcome}, Seq: end.Seq, Body: string(body)}, err
}

// mustBeFree refuses to start a deployment while another one of its application runs or is queued.
func mustBeFree(r Records, application string) error {
	if err := mustNotRun(r, application); err != nil {
		return err
	}
	other, err := r.Unended(application, sluice.StatusQueued)
	if err != nil || other == "" {
		return err
	}
	return sluice.Errorf(sluice.Conflict, "deployment %s of %s is queued and comes first", other, application).
		WithHint("wait for it, or end it with: sluice cancel %s", other)
}

func mustNotRun(r Records, application string) error {
	other, err := r.Unended(application, "")
	if err != nil || other == "" {
		return err
	}
	return sluice.Errorf(sluice.Conflict, "application %s is being deployed by %s", application, other).
		WithHint("wait for it, or end it with: sluice cancel %s; if it was interrupted: sluice run --resume", other)
}
