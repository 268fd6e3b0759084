package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// An event is one of a stream; a comment has no name.
type event struct {
	id, name string
	fragment fragment
}

// events reads a stream until the context of the test ends.
func (w *world) events(path, last string) (next func() event, end func()) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		w.t.Fatalf("%s: %q", answer.Status, kind)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return func() (e event) {
			w.t.Helper()
			for lines.Scan() {
				key, value, _ := strings.Cut(lines.Text(), ": ")
				switch key {
				case "id":
					e.id = value
				case "event":
					e.name = value
				case "data":
					_ = json.Unmarshal([]byte(value), &e.fragment)
				case "":
					if value != "" || e.name != "" {
						return e
					}
				}
			}
			w.t.Fatalf("the stream ended: %v", lines.Err())
			return e
		}, func() {
			cancel()
			answer.Body.Close()
		}
}

func TestAStreamSendsWhatHasChanged(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	id := w.start(planOf("shop", "2.3"), "ci")
	w.untilWaits(id)
	next, end := w.events(pathOf(id), "")
	defer end()
	first := map[string]string{}
	for range deploymentPage.fragments {
		e := next()
		first[e.fragment.ID] = e.fragment.Version
	}
	_, body := w.get(pathOf(id), "ana")
	for part, version := range first {
		if !strings.Contains(body, fmt.Sprintf(`id="%s" data-version="%s"`, part, version)) {
			t.Errorf("the page does not have the version of %s that the stream sends", part)
		}
	}
	sig := sluice.Signal{Kind: sluice.SignalApprove, Step: "production/canary/1", By: people["ana"].Actor}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	for seen := ""; ; {
		e := next()
		if e.name == "end" {
			if !strings.Contains(seen, "runs in every target") {
				t.Errorf("the last head is %s", seen)
			}
			return
		}
		if e.fragment.Version == first[e.fragment.ID] {
			t.Errorf("%s is sent although it did not change", e.fragment.ID)
		}
		if e.fragment.ID == "deployment-head" {
			seen = e.fragment.HTML
		}
	}
}

// Who comes back with the number of the last event gets only what came after it.
func TestAStreamIsResumed(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	w.pages.Beat = 10 * time.Millisecond
	id := w.start(planOf("shop", "2.3"), "ci")
	w.untilWaits(id)
	next, end := w.events(pathOf(id), "")
	last := next().id
	end()
	next, end = w.events(pathOf(id), last)
	if e := next(); e.name != "" {
		t.Errorf("who has seen everything is sent %s", e.fragment.ID)
	}
	end()
	next, end = w.events(pathOf(id), "1")
	defer end()
	if e := next(); e.name != "fragment" || e.id != last {
		t.Errorf("who has seen the first event is sent %+v", e)
	}
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	w := newWorld(t)
	p := New(Config{Server: w.pages.Server, Caller: caller})
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		p.Follow(ctx, func(err error) { t.Error(err) })
	}()
	w.server.Config.Handler = p
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	stop()
	<-followed
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
	}
}

func TestAPageWithoutChangesHasNoStream(t *testing.T) {
	w := newWorld(t)
	w.deploy(planOf("shop", "2.2"))
	w.deploy(planOf("shop", "2.3"))
	r, _ := w.get("/applications/shop/rollback", "ana", "Accept", "text/event-stream")
	if r.StatusCode != http.StatusNoContent {
		t.Errorf("it is answered %s", r.Status)
	}
}
