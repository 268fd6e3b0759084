package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// audited is the nth thing that somebody wanted to do with the application.
func audited(application string, n int) sluice.AuditEntry {
	return sluice.AuditEntry{
		At: at(n), Verb: "approve", Application: application, Target: "production", Deployment: "d1",
		Step: "production/canary/2", Allowed: n%2 == 0, Reason: fmt.Sprint("reason ", n),
		By: sluice.Actor{Name: "ana", Roles: []string{"deployer"}, Via: "api", Identity: "token:t1", From: "192.0.2.7:4711"},
	}
}

func testAudit(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"numbers entries and gives them back": auditRoundTrip,
		"filters by application":              auditFilters,
		"gives pages":                         auditPages,
		"refuses one without time or verb":    auditNeeds,
		"records nothing once ctx is ended":   auditCancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
	t.Run("keeps 10,000 entries of many at once, of which readers miss none", func(t *testing.T) {
		a, b := pair(t, open)
		auditLong(t, a, b)
	})
	t.Run("survives reopening", func(t *testing.T) { auditReopen(t, open) })
}

// wantNumbers fails the test unless a page has exactly these numbers.
func wantNumbers(t *testing.T, page []sluice.AuditEntry, want ...int64) {
	t.Helper()
	var got []int64
	for _, e := range page {
		got = append(got, e.Number)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers of entries (-want +got):\n%s", diff)
	}
}

func entries(t *testing.T, s sluice.Audit, application string, before int64, most int) []sluice.AuditEntry {
	t.Helper()
	page, err := s.Entries(context.Background(), application, before, most)
	must(t, err)
	return page
}

func auditRoundTrip(t *testing.T, s sluice.Store) {
	wantNumbers(t, entries(t, s, "", 0, 10))
	short := sluice.AuditEntry{At: at(1), Verb: "administer"}
	misnumbered := audited("shop", 2)
	misnumbered.Number = 77
	for _, e := range []sluice.AuditEntry{audited("shop", 0), short, misnumbered} {
		must(t, s.Record(context.Background(), e))
	}
	want := []sluice.AuditEntry{misnumbered, short, audited("shop", 0)}
	want[0].Number, want[1].Number, want[2].Number = 3, 2, 1
	if diff := cmp.Diff(want, entries(t, s, "", 0, 10)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func auditFilters(t *testing.T, s sluice.Store) {
	for n, application := range []string{"shop", "blog", "", "shop", "shop2"} {
		must(t, s.Record(context.Background(), audited(application, n)))
	}
	wantNumbers(t, entries(t, s, "shop", 0, 10), 4, 1)
	wantNumbers(t, entries(t, s, "shop", 4, 10), 1)
	wantNumbers(t, entries(t, s, "blog", 0, 10), 2)
	wantNumbers(t, entries(t, s, "absent", 0, 10))
	wantNumbers(t, entries(t, s, "", 0, 10), 5, 4, 3, 2, 1)
}

func auditPages(t *testing.T, s sluice.Store) {
	for n := range 5 {
		must(t, s.Record(context.Background(), audited("shop", n)))
	}
	for _, application := range []string{"", "shop"} {
		wantNumbers(t, entries(t, s, application, 0, 2), 5, 4)
		wantNumbers(t, entries(t, s, application, 4, 2), 3, 2)
		wantNumbers(t, entries(t, s, application, 2, 2), 1)
		wantNumbers(t, entries(t, s, application, 1, 2))
		wantNumbers(t, entries(t, s, application, 1000, 1), 5)
		wantNumbers(t, entries(t, s, application, 0, 0))
		wantNumbers(t, entries(t, s, application, 0, -1))
	}
}

func auditNeeds(t *testing.T, s sluice.Store) {
	timeless, still := audited("shop", 0), audited("shop", 0)
	timeless.At, still.Verb = sluice.AuditEntry{}.At, ""
	wantCode(t, s.Record(context.Background(), timeless), sluice.Invalid)
	wantCode(t, s.Record(context.Background(), still), sluice.Invalid)
	wantNumbers(t, entries(t, s, "", 0, 10))
}

func auditCancelled(t *testing.T, s sluice.Store) {
	wantCode(t, s.Record(endedContext(), audited("shop", 0)), sluice.Cancelled)
	wantNumbers(t, entries(t, s, "", 0, 10))
}

// auditLong records through two stores, while a reader of each goes through all pages again and again.
func auditLong(t *testing.T, stores ...sluice.Store) {
	const recorders, each = 100, 100
	done := make(chan struct{})
	var reading, recording sync.WaitGroup
	for _, s := range stores {
		reading.Go(func() {
			for finished := false; !finished; {
				select {
				case <-done:
					finished = true
				default:
				}
				readBack(t, s)
			}
		})
	}
	for i := range recorders {
		recording.Go(func() {
			for n := range each {
				expect(t, stores[i%len(stores)].Record(context.Background(), audited(application(i), n)))
			}
		})
	}
	recording.Wait()
	close(done)
	reading.Wait()
	for _, s := range stores {
		if n := readBack(t, s); n != recorders*each {
			t.Errorf("%d entries are there, want %d", n, recorders*each)
		}
		if n := len(entries(t, s, application(7), 0, 2*each)); n != each {
			t.Errorf("%d entries of one application are there, want %d", n, each)
		}
	}
}

// readBack reads page by page and returns the newest number. The numbers have to go down to 1 without a gap.
func readBack(t *testing.T, s sluice.Audit) (newest int64) {
	for next := int64(0); next != 1; {
		page, err := s.Entries(context.Background(), "", next, 777)
		if err != nil || len(page) == 0 && next > 1 {
			t.Errorf("no entries before %d: %v", next, err)
			return newest
		}
		if len(page) == 0 {
			return 0
		}
		for _, e := range page {
			if next == 0 {
				newest, next = e.Number, e.Number+1
			}
			if e.Number != next-1 {
				t.Errorf("entry %d follows %d", e.Number, next)
				return newest
			}
			next = e.Number
		}
	}
	return newest
}

func auditReopen(t *testing.T, open Open) {
	dir := t.TempDir()
	for n := range 3 {
		s := open(t, dir)
		must(t, s.Record(context.Background(), audited("shop", n)))
		must(t, s.Close())
	}
	list := entries(t, opened(t, open, dir), "shop", 0, 10)
	wantNumbers(t, list, 3, 2, 1)
	want := audited("shop", 0)
	want.Number = 1
	if diff := cmp.Diff(want, list[2]); diff != "" {
		t.Errorf("first entry (-want +got):\n%s", diff)
	}
}
