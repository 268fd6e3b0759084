package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// maxRequest bounds a request: a plan with its manifests.
const maxRequest = 64 << 20

// An Engine runs deployments. *engine.Engine is one, and so is *Client. Signals go through the store's inbox.
type Engine interface {
	Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error)
	Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error
	Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error]
}

// A Server is the control API of one engine:
//
//	POST /deployments                        {"plan": ..., "actor": ...}  →  {"id": ...}
//	POST /deployments/{id}/reopening         {"actor": ...}               →  nothing
//	GET  /deployments/{id}/events?after=SEQ                               →  one update a line, until it ends
type Server struct {
	engine  Engine
	http    *http.Server
	closing bool
	starts  sync.RWMutex // held for reading from before a deployment is recorded until its caller was told
}

// NewServer returns a server that does not listen yet. Everyone who can connect to its listener may do everything.
func NewServer(e Engine) *Server {
	s := &Server{engine: e}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /deployments", s.start)
	mux.HandleFunc("POST /deployments/{id}/reopening", s.reopen)
	mux.HandleFunc("GET /deployments/{id}/events", s.events)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return s
}

// Serve answers until Close is called.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Refuse lets no deployment start from now on. It returns when all earlier callers know that their deployment was
// recorded. Other requests are answered as before.
func (s *Server) Refuse() {
	s.starts.Lock()
	defer s.starts.Unlock()
	s.closing = true
}

// Close ends every connection. Closing twice is harmless.
func (s *Server) Close() error { return s.http.Close() }

type startRequest struct {
	Plan  *sluice.Plan `json:"plan,omitempty"`
	Actor sluice.Actor `json:"actor"`
}

type startResponse struct {
	ID sluice.DeploymentID `json:"id"`
}

func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	s.begin(w, r, http.StatusCreated, func(request startRequest) (any, error) {
		if request.Plan == nil {
			return nil, sluice.Errorf(sluice.Invalid, "the request has no plan")
		}
		id, err := s.engine.Start(r.Context(), request.Plan, request.Actor)
		return startResponse{id}, err
	})
}

func (s *Server) reopen(w http.ResponseWriter, r *http.Request) {
	s.begin(w, r, http.StatusOK, func(request startRequest) (any, error) {
		return struct{}{}, s.engine.Reopen(r.Context(), sluice.DeploymentID(r.PathValue("id")), request.Actor)
	})
}

// begin answers a request after which the engine runs a deployment.
func (s *Server) begin(
	w http.ResponseWriter, r *http.Request, status int, use func(startRequest) (answer any, err error),
) {
	var request startRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&request); err != nil {
		writeError(w, sluice.Errorf(sluice.Invalid, "the request's body cannot be read: %w", err))
		return
	}
	s.starts.RLock()
	defer s.starts.RUnlock()
	if s.closing {
		writeError(w, sluice.Errorf(sluice.Unavailable, "the engine is about to stop").WithHint("try again"))
		return
	}
	answer, err := use(request)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, status, answer)
	_ = http.NewResponseController(w).Flush() // a caller that went away finds the deployment in the log
}

// A line is one line of a stream: an update, or the error that ends it.
type line struct {
	engine.Update
	Error *wireError `json:"error,omitempty"`
}

// events streams updates. The header goes out with the first of them, so that an unknown deployment is
// still answered by a status.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		writeError(w, sluice.Errorf(sluice.Invalid, "after is not the number of an event: %w", err))
		return
	}
	begun := false
	encoder, flush := json.NewEncoder(w), http.NewResponseController(w)
	for update, err := range s.engine.Watch(r.Context(), sluice.DeploymentID(r.PathValue("id")), sluice.Seq(after)) {
		if err != nil && !begun {
			writeError(w, err)
			return
		}
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		l := line{Update: update}
		if err != nil {
			wire := toWire(err)
			l.Error = &wire
		}
		if encoder.Encode(l) != nil || flush.Flush() != nil {
			return
		}
	}
}
