package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
)

// checkpoint puts a checkpoint of shop into the store.
func (w *world) checkpoint(t *testing.T) {
	t.Helper()
	c := sluice.Checkpoint{ID: "c1", Application: "shop", Deployment: w.waiting(t, "shop"), Target: "staging"}
	if err := w.store.PutCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// held makes verifications report once, and wait. The function counts them.
func (w *world) held(wait <-chan struct{}) (runs *atomic.Int32) {
	runs = new(atomic.Int32)
	w.copies.verify = func(ctx context.Context, report func(sluice.Amount)) error {
		runs.Add(1)
		report(sluice.Amount{Unit: "bytes", Done: 7})
		select {
		case <-wait:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return runs
}

func TestWorkOutlivesItsConnection(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.checkpoint(t)
	ends := make(chan struct{})
	runs := w.held(ends)
	reports := 0
	found, err := w.as(t, "ana").VerifyCheckpoint(t.Context(), "c1", func(p api.WorkProgress) {
		if p.Amount == nil || p.Amount.Done != 7 {
			t.Errorf("reported is %+v", p)
		}
		if reports++; reports == 1 {
			w.http.CloseClientConnections()
			return
		}
		close(ends) // the client is there again
	})
	if err != nil || found.ID != "c1" || reports != 2 || runs.Load() != 1 {
		t.Errorf("verified %q: %v, after %d reports of %d works", found.ID, err, reports, runs.Load())
	}
}

func TestWorkIsKnownByItsKey(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.checkpoint(t)
	ends := make(chan struct{})
	close(ends)
	runs := w.held(ends)
	verify := func(token, path, key string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL+api.Prefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	const path = "/checkpoints/c1/verification"
	for _, c := range []struct {
		token, path, key string
		runs             int32
		status           int
	}{
		{"ana", path, "a", 1, 200},
		{"ana", path, "a", 1, 200}, // again, after it has ended
		{"ana", path, "b", 2, 200},
		{"root", path, "a", 3, 200}, // of another caller
		{"ana", path, "", 4, 200},
		{"ana", path, "", 5, 200},
		{"root", "/reaping", "a", 5, 400}, // for something else
	} {
		status, text := verify(c.token, c.path, c.key)
		if status != c.status || runs.Load() != c.runs {
			t.Errorf("%s %s %q: %d after %d works", c.token, c.path, c.key, status, runs.Load())
		}
		if status == 200 && !strings.Contains(text, "event: ended\ndata: {\"result\":{\"id\":\"c1\"") {
			t.Errorf("the stream is %q", text)
		}
	}
}

func TestWorksAreBoundedAndEndWithTheServer(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.checkpoint(t)
	runs := w.held(nil)
	ana := w.as(t, "ana")
	ctx, leave := context.WithCancel(t.Context())
	for range 16 {
		begun := make(chan struct{})
		go func() {
			_, _ = ana.VerifyCheckpoint(ctx, "c1", func(api.WorkProgress) { close(begun) })
		}()
		<-begun
	}
	_, err := ana.VerifyCheckpoint(t.Context(), "c1", func(api.WorkProgress) {})
	wants(t, "one too many", err, sluice.Exhausted)
	leave()
	if runs.Load() != 16 {
		t.Errorf("%d works run", runs.Load())
	}
	w.server.Close()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = ana.VerifyCheckpoint(short, "c1", func(api.WorkProgress) {}) // it tries again until its caller leaves
	if err == nil || runs.Load() != 16 {
		t.Errorf("a server that stops began another work: %v", err)
	}
}

func TestFailedWorkIsAnError(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.checkpoint(t)
	w.copies.verify = func(context.Context, func(sluice.Amount)) error {
		return sluice.Errorf(sluice.Unavailable, "the bucket does not answer").WithHint("look at it")
	}
	_, err := w.as(t, "ana").VerifyCheckpoint(t.Context(), "c1", func(api.WorkProgress) {})
	wants(t, "the outcome", err, sluice.Unavailable)
	if sluice.ErrorHint(err) != "look at it" || !strings.Contains(err.Error(), "the bucket does not answer") {
		t.Errorf("%v, %q", err, sluice.ErrorHint(err))
	}
	_, err = w.as(t, "bob").VerifyCheckpoint(t.Context(), "c1", func(api.WorkProgress) {})
	wants(t, "a checkpoint of others", err, sluice.NotFound)
}

func TestBranchesThroughTheAPI(t *testing.T) {
	w := newWorld(t, openStore(t))
	ours, theirs := w.copies.branch(t, "shop", "dev-ana"), w.copies.branch(t, "billing", "dev-bob")
	ana, ctx := w.as(t, "ana"), t.Context()
	list, silent, err := ana.Branches(ctx)
	if diff := cmp.Diff([]sluice.Branch{ours}, list); diff != "" || err != nil {
		t.Errorf("ana sees %v: %s", err, diff)
	}
	wants(t, "the other account", silent["cluster02"], sluice.Unavailable)
	if strings.Contains(silent["cluster02"].Error(), "kube") {
		t.Errorf("who does not administer the server is told: %v", silent["cluster02"])
	}
	_, silent, err = w.as(t, "root").Branches(ctx)
	if err != nil || !strings.Contains(silent["cluster02"].Error(), "kube") {
		t.Errorf("who administers the server is told: %v, %v", silent["cluster02"], err)
	}
	until := ours.Expires.Add(time.Hour)
	extended, err := ana.ExtendBranch(ctx, ours, until)
	if err != nil || !extended.Expires.Equal(until) {
		t.Errorf("extended is %v, %v", extended.Expires, err)
	}
	_, err = ana.ExtendBranch(ctx, ours, ours.MadeAt.Add(-time.Hour))
	wants(t, "a time that is over", err, sluice.Conflict)
	for what, forbidden := range map[string]func() error{
		"show":   func() error { _, err := ana.Branch(ctx, theirs); return err },
		"extend": func() error { _, err := ana.ExtendBranch(ctx, theirs, until); return err },
		"delete": func() error { return ana.DeleteBranch(ctx, theirs) },
	} {
		wants(t, what+" a branch of others", forbidden(), sluice.NotFound)
	}
	if err := ana.DeleteBranch(ctx, ours); err != nil {
		t.Error(err)
	}
	_, err = ana.Branch(ctx, ours)
	wants(t, "a deleted branch", err, sluice.NotFound)
}

// What a pod writes may be data of every target that has something in its namespace.
func TestWhoReadsPods(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.waiting(t, "shop")
	w.waiting(t, "billing")
	w.copies.branch(t, "shop", "dev-ana")
	w.copies.branch(t, "shop", "billing") // in a namespace of others
	for _, c := range []struct {
		token, namespace string
		code             sluice.Code
	}{
		{"ana", "shop", ""}, {"ana", "dev-ana", ""}, {"ana", "billing", sluice.Denied},
		{"ana", "kube-system", sluice.Denied}, {"bob", "shop", sluice.Denied}, {"bob", "billing", sluice.Denied},
		{"root", "billing", ""}, {"root", "kube-system", ""},
	} {
		lines, err := w.as(t, c.token).PodLogs(t.Context(), "cluster01", c.namespace, "web-0", 2)
		wants(t, c.token+" in "+c.namespace, err, c.code)
		if err == nil && !cmp.Equal(lines, []string{"two", "three"}) {
			t.Errorf("%s reads %q", c.token, lines)
		}
		var followed []string
		for line, failed := range w.as(t, c.token).TailPod(t.Context(), "cluster01", c.namespace, "web-0") {
			if err = failed; failed == nil {
				followed = append(followed, line)
			}
		}
		wants(t, c.token+" follows in "+c.namespace, err, c.code)
		if err == nil && !cmp.Equal(followed, []string{"one", "two", "three"}) {
			t.Errorf("%s follows %q", c.token, followed)
		}
	}
	for _, err := range w.as(t, "ana").TailPod(t.Context(), "", "shop", "gone") {
		wants(t, "a pod that is gone", err, sluice.NotFound)
	}
	entries, err := w.store.Entries(t.Context(), "shop", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range entries {
		if e.Verb == "readReports" && e.Target == "staging" && strings.Contains(e.Reason, "shop/web-0") {
			read++
		}
	}
	if read == 0 {
		t.Errorf("the audit does not say who read the output of pods: %+v", entries)
	}
}
