package pages

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// record adds an entry to the audit.
func (w *world) record(application, reason string) {
	w.t.Helper()
	err := w.store.Record(w.t.Context(), sluice.AuditEntry{
		At: time.Now(), By: sluice.Actor{Name: "bob"}, Verb: "deploy", Application: application, Reason: reason,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAnEntryAppearsInAnOpenAudit(t *testing.T) {
	w := newWorld(t)
	b := w.open(t, "ana")
	b.visit("/audit")
	b.waitFor("main", "Nobody has asked for anything yet.")
	w.record("shop", "the first reason")
	b.waitFor("#entry-1", "the first reason")
	w.record("billing", "the second reason")
	b.waitFor("#entry-2.changed", "the second reason")
	b.waitFor("#entry-1:not(.changed)", "the first reason")
}

// Each entry of a stream is one that its reader may see.
func TestAStreamOfTheAuditKeepsToRights(t *testing.T) {
	w := newWorld(t)
	w.record("shop", "the first reason")
	for _, who := range []string{"vic", "sam", "kim"} {
		if _, body := w.get("/audit", who, "Accept", "text/event-stream"); strings.Contains(body, "event: ") {
			t.Errorf("%s gets %s", who, body)
		}
	}
	_, body := w.get("/audit?application=billing", "kim", "Accept", "text/event-stream")
	if strings.Contains(body, "event: ") {
		t.Errorf("kim gets %s about another application", body)
	}
	ana := w.pages.Caller
	w.pages.Caller = func(r *http.Request) (access.Caller, error) { // streams of this test bring no cookie
		if r.Header.Get("Accept") == "text/event-stream" {
			return people["kim"], nil
		}
		return ana(r)
	}
	next, end := w.events("/audit?application=shop", "")
	defer end()
	if e := next(); e.id != "1" || !strings.Contains(e.fragment.HTML, "the first reason") {
		t.Fatalf("the stream begins with %+v", e)
	}
	w.record("billing", "of others")
	w.record("shop", "the third reason")
	e := next()
	if e.id != "3" || !strings.Contains(e.fragment.HTML, "the third reason") {
		t.Errorf("the stream goes on with %+v", e)
	}
	if strings.Contains(e.fragment.HTML, "of others") {
		t.Error("kim gets an entry of another application")
	}
}

// Older entries do not change.
func TestOlderEntriesHaveNoStream(t *testing.T) {
	w := newWorld(t)
	w.record("shop", "the first reason")
	w.record("shop", "the second reason")
	if _, body := w.get("/audit?before=2", "ana"); strings.Contains(body, "data-live") {
		t.Error("the page asks for a stream")
	}
	if _, body := w.get("/audit", "ana"); !strings.Contains(body, `data-live="2"`) {
		t.Error("the page of the newest entries asks for none")
	}
}

// examine lets the doctor find what the returned value holds, and counts how often it looks.
func (w *world) examine(detail string) (found *atomic.Value, times *atomic.Int64) {
	found, times = &atomic.Value{}, &atomic.Int64{}
	found.Store(service.Check{Name: "account east", State: service.CheckOK, Detail: detail})
	w.pages.Server.Examine = func(context.Context, service.Source) ([]service.Check, error) {
		times.Add(1)
		return []service.Check{found.Load().(service.Check)}, nil
	}
	return found, times
}

func TestAnOpenPageOfAccountsFollows(t *testing.T) {
	w := newWorld(t)
	w.pages.ExamineEvery = 100 * time.Millisecond
	found, _ := w.examine("answers")
	b := w.open(t, "ana")
	b.visit("/accounts")
	b.waitFor("main", "all well")
	found.Store(service.Check{Name: "account east", State: service.CheckWrong, Detail: "no answer within 15s"})
	b.waitFor("main", "1 of 1 wrong")
	b.waitFor("tbody", "no answer within 15s")
}

// Accounts are not asked more often because more people look.
func TestReadersShareAnExamination(t *testing.T) {
	w := newWorld(t)
	w.pages.ExamineEvery = time.Hour
	_, times := w.examine("answers")
	w.get("/accounts", "ana")
	for range 3 {
		next, end := w.events("/accounts", "")
		if e := next(); !strings.Contains(e.fragment.HTML, "answers") {
			t.Errorf("the stream begins with %+v", e)
		}
		end()
	}
	if n := times.Load(); n != 1 {
		t.Errorf("the accounts were examined %d times", n)
	}
	w.get("/accounts", "ana")
	if n := times.Load(); n != 2 {
		t.Errorf("who reloads the page sees an old examination")
	}
	if _, body := w.get("/accounts", "vic", "Accept", "text/event-stream"); strings.Contains(body, "event: ") {
		t.Errorf("vic gets %s", body)
	}
}
