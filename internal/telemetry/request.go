package telemetry

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/internal/access"
)

// RequestID is the header of an answer that names the request in the log.
const RequestID = "X-Request-Id"

// quiet are the patterns of requests that come every few seconds. The log leaves them out while they succeed.
var quiet = map[string]bool{"GET /healthz": true, "GET /readyz": true, "GET /metrics": true}

// A request is what is known of one while it is answered.
type request struct {
	id      string
	caller  string // "": nobody is proven
	started time.Time
	streams bool
	status  int
}

type requestKey struct{}

// Requests returns the handler with its requests counted and logged. The log has the pattern of the path, not the path,
// and nothing of the query, the headers and the body.
func (m *Metrics) Requests(log *slog.Logger, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{id: rand.Text(), started: time.Now()}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, q))
		a := &answer{ResponseWriter: w, metrics: m, request: q, asked: r}
		w.Header().Set(RequestID, q.id)
		answered := false
		defer func() {
			if !answered && q.status == 0 {
				q.status = http.StatusInternalServerError // the handler panics
			}
			a.end(log)
		}()
		h.ServeHTTP(a, r)
		answered = true
	})
}

// Callers returns the function, and notes for the log whom it has proven.
func Callers(prove func(*http.Request) (access.Caller, error)) func(*http.Request) (access.Caller, error) {
	return func(r *http.Request) (access.Caller, error) {
		c, err := prove(r)
		if q, ok := r.Context().Value(requestKey{}).(*request); ok && err == nil {
			q.caller = c.Actor.Name
		}
		return c, err
	}
}

// An answer notes how a request is answered.
type answer struct {
	http.ResponseWriter
	metrics *Metrics
	request *request
	asked   *http.Request // its pattern is known once it is routed
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	a.begin(status)
	a.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer began.
func (a *answer) Write(b []byte) (int, error) {
	a.begin(http.StatusOK)
	return a.ResponseWriter.Write(b)
}

func (a *answer) begin(status int) {
	if a.request.status >= http.StatusOK {
		return
	}
	a.request.status = status
	if strings.HasPrefix(a.Header().Get("Content-Type"), "text/event-stream") {
		a.request.streams = true
		a.metrics.streams.Inc()
		a.observe()
	}
}

// end counts and logs the request.
func (a *answer) end(log *slog.Logger) {
	a.begin(http.StatusOK)
	if a.request.streams {
		a.metrics.streams.Dec()
	} else {
		a.observe()
	}
	q := a.request
	if quiet[a.asked.Pattern] && q.status < http.StatusBadRequest {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", q.id), slog.String("method", a.asked.Method), slog.String("path", pathOf(a.asked.Pattern)),
		slog.Int("status", q.status), slog.Float64("seconds", time.Since(q.started).Seconds()),
		slog.String("caller", q.caller),
	}
	if id := a.asked.PathValue("id"); isDeployment.MatchString(id) {
		attrs = append(attrs, slog.String("deployment", id))
	}
	log.LogAttrs(context.Background(), levelOf(q.status), "request", attrs...)
}

// isDeployment matches ids of deployments. Another text in its place may be anything.
var isDeployment = regexp.MustCompile(`^[0-9a-f]{11}-[0-9a-f]{1,8}$`)

func (a *answer) observe() {
	class := fmt.Sprintf("%dxx", a.request.status/100)
	a.metrics.requests.WithLabelValues(a.asked.Pattern, class).Observe(time.Since(a.request.started).Seconds())
}

func levelOf(status int) slog.Level {
	if status >= http.StatusInternalServerError {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// pathOf returns the pattern without its method.
func pathOf(pattern string) string {
	if _, path, found := strings.Cut(pattern, " "); found {
		return path
	}
	return pattern
}
