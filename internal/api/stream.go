package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// heartbeat is how often a stream says that it is alive: proxies end silent connections.
const heartbeat = 15 * time.Second

// writePatience is how long a stream waits for a reader that does not read.
const writePatience = 30 * time.Second

// A stream writes Server-Sent Events.
type stream struct {
	mu     sync.Mutex
	w      http.ResponseWriter
	out    *http.ResponseController
	cancel context.CancelFunc
}

// streaming is the answer of an operation that sends events until send returns. What it returns is sent as the event
// "error". The reader that goes away, or does not read, cancels ctx.
func streaming(send func(ctx context.Context, s *stream) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		ctx, cancel := context.WithCancel(hc.Context())
		defer cancel()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // nginx would keep the events back
		w.WriteHeader(http.StatusOK)
		s := &stream{w: w, out: http.NewResponseController(w), cancel: cancel}
		s.comment("open")
		var beating sync.WaitGroup
		beating.Go(func() { s.beat(ctx) })
		if err := send(ctx, s); err != nil && ctx.Err() == nil {
			s.event("error", "", problemOf(err))
		}
		cancel()
		beating.Wait()
	}}
}

func (s *stream) beat(ctx context.Context) {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.comment("alive")
		case <-ctx.Done():
			return
		}
	}
}

func (s *stream) comment(text string) { s.write(": " + text + "\n\n") }

// event sends one event. id is what a reader that comes back names in Last-Event-ID; "" leaves it as it is.
func (s *stream) event(kind, id string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		kind, text = "error", []byte(`{"code":"internal","detail":"the event cannot be written as JSON"}`)
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	s.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, kind, text))
}

func (s *stream) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.out.SetWriteDeadline(time.Now().Add(writePatience))
	if err == nil {
		_, err = io.WriteString(s.w, text)
	}
	if err == nil {
		err = s.out.Flush()
	}
	if err != nil {
		s.cancel()
	}
}

func write(w http.ResponseWriter, p *Problem) {
	data, _ := json.Marshal(p) // its fields can always be encoded
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(data, '\n')) // a caller that went away does not want the answer
}
