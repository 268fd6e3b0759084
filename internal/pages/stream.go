package pages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
)

const (
	// streamFor is how long a stream lasts. Then the browser asks again, so that a login that has ended is noticed.
	streamFor = 10 * time.Minute
	// gathered is how long changes are collected before they are sent together.
	gathered = 250 * time.Millisecond
)

// errOver ends a stream after which nothing will come.
var errOver = errors.New("nothing will change any more")

// A follower tells a stream when its page has to be drawn again.
type follower interface {
	// load returns what the page shows now.
	load() (*shown, error)
	// wait returns nil once there is something newer than the version, errOver if nothing can come, or the error of ctx.
	wait(ctx context.Context, version int64) error
}

// An indexFollower draws its page again when the index changes.
type indexFollower struct {
	v    *visit
	page page
	name string // of the application; "": any
}

func (f indexFollower) load() (*shown, error) { return f.page.load(f.v) }

func (f indexFollower) wait(ctx context.Context, version int64) error {
	return f.v.index.wait(ctx, f.name, version)
}

// stream sends the parts of the page that have changed, until the reader goes away. A reader that comes back names the
// version that it saw last.
func (v *visit) stream(w http.ResponseWriter, page page) {
	if !page.live {
		w.WriteHeader(http.StatusNoContent) // browsers then stop asking
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx, streamFor)
	defer cancel()
	go func() {
		select {
		case <-v.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	v.ctx = ctx
	f, err := v.follower(page)
	if err != nil {
		v.fail(w, v.request, err)
		return
	}
	s := sender{w: w, flush: http.NewResponseController(w), sent: map[string]string{}}
	_ = s.flush.SetWriteDeadline(time.Time{}) // a server without deadlines has none to lift
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	s.print("retry: 2000\n\n")
	v.follow(ctx, page, f, &s)
}

func (v *visit) follower(page page) (follower, error) {
	switch page.name {
	case deploymentPage.name:
		return v.followDeployment()
	case auditPage.name:
		return auditFollower{v, page}, nil
	case accountPage.name:
		return accountFollower{v}, nil
	}
	return indexFollower{v, page, v.request.PathValue("name")}, nil
}

// follow draws the page again and again.
func (v *visit) follow(ctx context.Context, page page, f follower, s *sender) {
	seen, isKnown := v.seen()
	for ctx.Err() == nil && s.err == nil {
		v.at = v.Now()
		shown, err := f.load()
		if err != nil {
			return // the browser asks again, and is told
		}
		parts, err := v.parts(page, v.screen(page, shown))
		if err != nil {
			return
		}
		s.send(parts, shown.Version, isKnown && seen == shown.Version)
		seen, isKnown = 0, false
		if v.await(ctx, f, s, shown) != nil {
			return
		}
	}
}

// await waits for something newer and meanwhile says that the stream lives.
func (v *visit) await(ctx context.Context, f follower, s *sender, now *shown) error {
	if now.Over {
		s.print("event: end\ndata: \n\n")
		return errOver
	}
	for s.err == nil {
		beat, cancel := context.WithTimeout(ctx, v.Beat)
		err := f.wait(beat, now.Version)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return pause(ctx, gathered)
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		s.print(": alive\n\n")
	}
	return s.err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seen is the version that the reader has seen, false if it names none.
func (v *visit) seen() (int64, bool) {
	for _, text := range []string{v.request.Header.Get("Last-Event-ID"), v.request.URL.Query().Get("after")} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, true
		}
	}
	return 0, false
}

// A sender writes the events of a stream.
type sender struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	sent  map[string]string // by fragment: its version
	err   error             // of the connection
}

func (s *sender) print(text string) {
	if s.err != nil {
		return
	}
	if _, s.err = fmt.Fprint(s.w, text); s.err == nil {
		s.err = s.flush.Flush()
	}
}

// send sends the fragments that have changed. isKnown says that the reader has them all.
func (s *sender) send(parts []fragment, version int64, isKnown bool) {
	for _, f := range parts {
		if s.sent[f.ID] == f.Version {
			continue
		}
		s.sent[f.ID] = f.Version
		if isKnown {
			continue
		}
		f.HTML = present.Escape(f.HTML)
		data, err := json.Marshal(f)
		if err != nil {
			s.err = sluice.Errorf(sluice.Internal, "write fragment %s: %w", f.ID, err)
			return
		}
		s.print(fmt.Sprintf("id: %d\nevent: fragment\ndata: %s\n\n", version, data))
	}
}
