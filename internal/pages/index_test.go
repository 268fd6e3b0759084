package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/enginetest"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// answer is what an index says of an application, target by target: state, release, and what runs instead.
func answer(x *Index, name string) map[string]string {
	v := &visit{Pages: &Pages{index: x}, caller: people["ana"]}
	var version int64
	for a := range x.each(&version) {
		if row, ok := v.row(a); ok && a.name == name {
			row.arrange(nil)
			all := map[string]string{}
			for _, c := range row.Cells {
				all[c.Target] = fmt.Sprintf("%s %s runs %s", c.Status, c.Release, c.Runs)
			}
			return all
		}
	}
	return nil
}

// follow reads the store anew, and returns the index with the function that ends it.
func follow(t *testing.T, store sluice.Store) (*Index, func()) {
	t.Helper()
	x := NewIndex(store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Follow(ctx) }()
	if err := x.readyBy(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// until waits until the index gives the answer.
func (x *Index) until(t *testing.T, name string, want map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		x.mu.RLock()
		version := x.version
		x.mu.RUnlock()
		diff := cmp.Diff(want, answer(x, name))
		if diff == "" {
			return
		}
		if x.wait(ctx, "", version) != nil {
			t.Fatalf("the index does not come to it (-want +got):\n%s", diff)
		}
	}
}

// An index that followed and one that reads everything at the end say the same.
func TestAnIndexThatFollowsKnowsWhatANewOneReads(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	x, stop := follow(t, w.store)
	defer stop()
	check := func(want map[string]string) {
		t.Helper()
		x.until(t, "shop", want)
		fresh, stop := follow(t, w.store)
		defer stop()
		if diff := cmp.Diff(want, answer(fresh, "shop")); diff != "" {
			t.Errorf("a new index (-want +got):\n%s", diff)
		}
	}
	w.deploy(planOf("shop", "1"))
	check(map[string]string{"staging": "succeeded 1 runs ", "production": "succeeded 1 runs "})
	id := w.start(planOf("shop", "2"), "ci")
	w.untilWaits(id)
	check(map[string]string{"staging": "succeeded 2 runs ", "production": "waiting 2 runs 1"})
	sig := sluice.Signal{Kind: sluice.SignalReject, Step: "production/canary/1", By: people["ana"].Actor}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	w.until(id, hasEnded)
	check(map[string]string{"staging": "succeeded 2 runs ", "production": "rolledBack 2 runs 1"})
	w.steps.fails["staging/canary/1"] = sluice.Errorf(sluice.Failed, "the analysis is bad")
	for _, tag := range []string{"3", "4", "5"} {
		w.until(w.start(planOf("shop", tag), "ci"), hasEnded)
	}
	check(map[string]string{"staging": "rolledBack 5 runs 2", "production": "rolledBack 2 runs 1"})
	delete(w.steps.fails, "staging/canary/1")
	w.deploy(planOf("shop", "6"))
	check(map[string]string{"staging": "succeeded 6 runs ", "production": "succeeded 6 runs "})
	for a := range x.each(new(int64)) {
		if len(a.runs) != 1 {
			t.Errorf("%d deployments are kept, although the last one answers for all", len(a.runs))
		}
	}
}

// BenchmarkOverview draws the overview of 200 applications with 10,000 deployments, and reads them for the index.
func BenchmarkOverview(b *testing.B) {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "sluice.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	if err := enginetest.Fill(b.Context(), store, 200, 10_000); err != nil {
		b.Fatal(err)
	}
	p := New(Config{Server: server.New(server.Config{Store: store, Now: time.Now}), Caller: caller})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			x := NewIndex(store)
			if err := x.read(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := p.index.read(b.Context()); err != nil {
		b.Fatal(err)
	}
	close(p.index.ready)
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
			r.Header.Set("Accept-Encoding", "gzip")
			p.ServeHTTP(w, r)
			b.ReportMetric(float64(w.Body.Len()), "B/page")
			if w.Code != http.StatusOK || w.Body.Len() > 100_000 {
				b.Fatalf("%d with %d bytes", w.Code, w.Body.Len())
			}
		}
	})
}
