package beside

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/sluice-cd/sluice"
)

// A Session calls one Job. It is safe for concurrent use. A broken connection is made again for the next request.
type Session struct {
	work      Work
	name      string // of the Job, for people
	transport *http.Transport

	mu   sync.Mutex
	conn *http.ClientConn // nil until the first request
}

// base is the address of every request. The name in it counts for nothing.
const base = "https://beside"

// newSession returns a session that gets its connections, already proved on both sides, from dial.
func newSession(w Work, dial func(context.Context) (*tls.Conn, error)) *Session {
	return &Session{work: w, name: w.title(), transport: &http.Transport{
		DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		ForceAttemptHTTP2: true, DisableCompression: true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingAfter,
			MaxReceiveBufferPerConnection: window, MaxReceiveBufferPerStream: window, MaxReadFrameSize: frame,
		},
	}}
}

// Do sends a request for a path of the Job. An answer that is an error becomes that error; a Job that does not answer
// is Unavailable. The caller closes the body of the answer.
func (s *Session) Do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "make a request for %s: %w", s.name, err)
	}
	conn, err := s.connection(ctx)
	if err != nil {
		return nil, s.away(ctx, err)
	}
	resp, err := conn.RoundTrip(req)
	if err != nil {
		return nil, s.away(ctx, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, s.refusal(ctx, resp)
	}
	resp.Body = &answer{resp.Body, s, ctx}
	return resp, nil
}

// Close closes the connection. The Job waits for another one for a while.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // the other side sees it
	}
	s.transport.CloseIdleConnections()
}

// connection returns the connection, or makes a new one if it is broken.
func (s *Session) connection(ctx context.Context) (*http.ClientConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.Err() == nil {
		return s.conn, nil
	}
	conn, err := s.transport.NewClientConn(ctx, "https", "beside:443")
	if err == nil {
		s.conn = conn
	}
	return conn, err
}

// away says that the Job does not answer, unless the caller gave up or err says more.
func (s *Session) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return sluice.Errorf(sluice.Cancelled, "the call of %s was interrupted: %w", s.name, ctx.Err())
	}
	if sluice.ErrorCode(err) != sluice.Internal {
		return err
	}
	return sluice.Errorf(sluice.Unavailable, "%s does not answer: %w", s.name, err)
}

// refusal reads the error that an answer carries.
func (s *Session) refusal(ctx context.Context, resp *http.Response) error {
	var f Fault
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&f); err != nil {
		return s.away(ctx, err)
	}
	return f.Err()
}

// An answer is a body whose errors say that the Job is away.
type answer struct {
	io.ReadCloser
	session *Session
	ctx     context.Context // of the request
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = a.session.away(a.ctx, err)
	}
	return n, err
}
