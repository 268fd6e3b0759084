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

// An Engine runs deployments. *engine.Engine is one, and so is *Client.
type Engine interface {
	Start(ctx context.Context, plan *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error)
	Signal(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) error
	Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error]
}

// A Server is the control API of one engine:
//
//	POST /deployments                          {"plan": ..., "actor": ...}  →  {"id": ...}
//	GET  /deployments?application=NAME                                      →  [deployment]
//	GET  /deployments/{id}/events?after=SEQ                                 →  one update a line, until it ends
//	POST /deployments/{id}/signals             signal
type Server struct {
	engine  Engine
	log     sluice.Log
	http    *http.Server
	closing bool
	changes sync.RWMutex // held for reading from before something is recorded until its caller was told
}

// NewServer returns a server that does not listen yet. Whoever can connect to its listener may do everything.
func NewServer(e Engine, log sluice.Log) *Server {
	s := &Server{engine: e, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /deployments", s.start)
	mux.HandleFunc("GET /deployments", s.list)
	mux.HandleFunc("GET /deployments/{id}/events", s.events)
	mux.HandleFunc("POST /deployments/{id}/signals", s.signal)
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

// Refuse lets no deployment start from now on. It returns when all earlier callers know that their deployment or signal
// was recorded. Other requests are answered as before.
func (s *Server) Refuse() {
	s.changes.Lock()
	defer s.changes.Unlock()
	s.closing = true
}

// Close ends every connection. Closing twice is harmless.
func (s *Server) Close() error { return s.http.Close() }

type startRequest struct {
	Plan  *sluice.Plan `json:"plan"`
	Actor sluice.Actor `json:"actor"`
}

type startResponse struct {
	ID sluice.DeploymentID `json:"id"`
}

func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	var request startRequest
	if err := readJSON(w, r, &request); err != nil {
		writeError(w, err)
		return
	}
	if request.Plan == nil {
		writeError(w, sluice.Errorf(sluice.Invalid, "the request has no plan"))
		return
	}
	s.changes.RLock()
	defer s.changes.RUnlock()
	if s.closing {
		writeError(w, sluice.Errorf(sluice.Unavailable, "the engine is about to stop").WithHint("try again"))
		return
	}
	id, err := s.engine.Start(r.Context(), request.Plan, request.Actor)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, startResponse{id})
	_ = http.NewResponseController(w).Flush() // a caller that went away finds the deployment in the log
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	deployments, err := s.log.Deployments(r.Context(), r.URL.Query().Get("application"))
	if err != nil {
		writeError(w, err)
		return
	}
	if deployments == nil {
		deployments = []sluice.Deployment{}
	}
	writeJSON(w, http.StatusOK, deployments)
}

func (s *Server) signal(w http.ResponseWriter, r *http.Request) {
	var sig sluice.Signal
	err := readJSON(w, r, &sig)
	s.changes.RLock()
	defer s.changes.RUnlock()
	if err == nil {
		err = s.engine.Signal(r.Context(), sluice.DeploymentID(r.PathValue("id")), sig)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	_ = http.NewResponseController(w).Flush() // a caller that went away finds the signal in the log
}

// A line is one line of a stream: an update, or the error that ends it.
type line struct {
	engine.Update
	Error *wireError `json:"error,omitempty"`
}

// events streams updates. The header goes out with the first of them, so that an unknown deployment is
// still answered by a status.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	after, err := seqOf(r.URL.Query().Get("after"))
	if err != nil {
		writeError(w, err)
		return
	}
	begun := false
	encoder, flush := json.NewEncoder(w), http.NewResponseController(w)
	for update, err := range s.engine.Watch(r.Context(), sluice.DeploymentID(r.PathValue("id")), after) {
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

func seqOf(s string) (sluice.Seq, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, sluice.Errorf(sluice.Invalid, "after is %q, not the number of an event", s)
	}
	return sluice.Seq(n), nil
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(into); err != nil {
		return sluice.Errorf(sluice.Invalid, "the request's body cannot be read: %w", err)
	}
	return nil
}
