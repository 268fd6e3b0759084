package appending

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// A ledger is a few records.
type ledger struct {
	heads   map[sluice.DeploymentID]Head
	listed  map[sluice.DeploymentID]sluice.Deployment
	letters map[sluice.LetterID]sluice.DeploymentID // those not settled
}

func (l ledger) Head(id sluice.DeploymentID, _ sluice.Seq) (Head, error) { return l.heads[id], nil }

func (l ledger) Listed(id sluice.DeploymentID) (string, sluice.Status, error) {
	return l.listed[id].Application, l.listed[id].Outcome, nil
}

func (l ledger) Unended(application string, status sluice.Status) (sluice.DeploymentID, error) {
	for id, d := range l.listed {
		if !l.heads[id].Ended && d.Application == application && d.Outcome == status {
			return id, nil
		}
	}
	return "", nil
}

func (l ledger) IsOpen(letter sluice.LetterID, id sluice.DeploymentID) (bool, error) {
	return l.letters[letter] == id, nil
}

// records has a deployment of shop that runs and one that is queued, one of blog that is queued, and one that ended.
var records = ledger{
	heads: map[sluice.DeploymentID]Head{"running": {Seq: 3}, "queued": {Seq: 1}, "next": {Seq: 1},
		"over": {Seq: 9, Ended: true}},
	listed: map[sluice.DeploymentID]sluice.Deployment{
		"running": {Application: "shop"}, "queued": {Application: "shop", Outcome: sluice.StatusQueued},
		"next": {Application: "blog", Outcome: sluice.StatusQueued},
		"over": {Application: "wiki", Outcome: sluice.StatusFailed},
	},
	letters: map[sluice.LetterID]sluice.DeploymentID{5: "running"},
}

// event is one of the kind; the first ones have a plan.
func event(kind sluice.EventKind, application string) sluice.Event {
	e := sluice.Event{At: time.Unix(1, 0), Kind: kind}
	if application != "" {
		e.Plan = &sluice.Plan{Application: application}
	}
	return e
}

// first is the first event of a deployment of the application.
func first(kind sluice.EventKind, application string) []sluice.Event {
	return []sluice.Event{event(kind, application)}
}

func settling(letter sluice.LetterID) sluice.Event {
	e := event(sluice.SignalReceived, "")
	e.Letter = letter
	return e
}

var (
	begun     = event(sluice.DeploymentStarted, "")
	reopening = event(sluice.DeploymentReopened, "")
	over      = event(sluice.DeploymentEnded, "")
)

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		id     sluice.DeploymentID
		after  sluice.Seq
		events []sluice.Event
		want   sluice.Code
	}{
		"the next event":                  {"running", 3, []sluice.Event{settling(5)}, ""},
		"an event that came too late":     {"running", 2, []sluice.Event{settling(5)}, sluice.Conflict},
		"an event with a gap before":      {"running", 4, []sluice.Event{settling(5)}, sluice.Conflict},
		"a letter twice":                  {"running", 3, []sluice.Event{settling(5), settling(5)}, sluice.Conflict},
		"a letter of nobody":              {"running", 3, []sluice.Event{settling(6)}, sluice.Conflict},
		"a letter of another one":         {"queued", 1, []sluice.Event{settling(5)}, sluice.Conflict},
		"nothing that exists":             {"absent", 1, []sluice.Event{settling(5)}, sluice.NotFound},
		"a start while one runs":          {"new", 0, first(sluice.DeploymentStarted, "shop"), sluice.Conflict},
		"a start while one is queued":     {"new", 0, first(sluice.DeploymentStarted, "blog"), sluice.Conflict},
		"a start of another application":  {"new", 0, first(sluice.DeploymentStarted, "wiki"), ""},
		"one begun beside another":        {"new", 0, append(first(sluice.DeploymentQueued, "shop"), begun), sluice.Conflict},
		"one queued and begun at once":    {"new", 0, append(first(sluice.DeploymentQueued, "wiki"), begun), ""},
		"a turn that has not come":        {"queued", 1, []sluice.Event{begun}, sluice.Conflict},
		"a turn that has come":            {"next", 1, []sluice.Event{begun}, ""},
		"a turn taken twice at once":      {"next", 1, []sluice.Event{begun, begun}, sluice.Invalid},
		"a start that was started":        {"running", 3, []sluice.Event{begun}, sluice.Conflict},
		"an event after the end":          {"over", 9, []sluice.Event{settling(5)}, sluice.Conflict},
		"a reopening":                     {"over", 9, []sluice.Event{reopening, over}, ""},
		"a reopening of one that goes on": {"running", 3, []sluice.Event{reopening}, sluice.Conflict},
		"a reopening that begins":         {"over", 9, []sluice.Event{reopening, begun}, sluice.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := New(test.id, test.after, test.events)
			if err == nil {
				_, err = call.Decide(records)
			}
			if got := sluice.ErrorCode(err); got != test.want {
				t.Errorf("code is %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestQueueingEndsTheOneBefore(t *testing.T) {
	call, err := New("new", 0, first(sluice.DeploymentQueued, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	change, err := call.Decide(records)
	if err != nil {
		t.Fatal(err)
	}
	o := change.Overtaken
	if o == nil || o.ID != "queued" || o.Seq != 2 || o.Outcome != sluice.StatusOvertaken {
		t.Errorf("overtaken is %+v", o)
	}
	if change.Lists == nil || change.Lists.Outcome != sluice.StatusQueued || change.Ends != nil {
		t.Errorf("the change is %+v", change)
	}
}

func TestBytesThatAreNoTextAreReplaced(t *testing.T) {
	e := settling(0)
	e.Progress = &sluice.Progress{Data: []byte("\"a\xffb\"")}
	call, err := New("d", 1, []sluice.Event{e})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seq":2,"at":"` + e.At.Format(time.RFC3339) + `","kind":"signalReceived",` +
		"\"progress\":{\"state\":\"\",\"data\":\"a\ufffdb\"}}"
	if got := call.Bodies[0]; got != want {
		t.Errorf("body is %s, want %s", got, want)
	}
}
