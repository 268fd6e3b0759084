package standin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
)

// Variable is the environment variable that holds the Spec as JSON.
const Variable = "SLUICE_STAND_IN"

// A Spec says what a stand-in stands for.
type Spec struct {
	Image   string   `json:"image"`
	Command []string `json:"command,omitempty"` // as the manifest has it
	Args    []string `json:"args,omitempty"`
	Ports   []int    `json:"ports,omitempty"`
	Job     bool     `json:"job,omitempty"`  // it ends at once
	Fail    bool     `json:"fail,omitempty"` // with Job: without success
}

// String says what would run.
func (s Spec) String() string {
	return strings.Join(append(append([]string{s.Image}, s.Command...), s.Args...), " ")
}

// Run runs the stand-in that the environment describes, until ctx ends. A stand-in for a Job ends at once, with Failed
// if it is to fail.
func Run(ctx context.Context, out io.Writer) error {
	var s Spec
	if err := json.Unmarshal([]byte(os.Getenv(Variable)), &s); err != nil {
		return sluice.Errorf(sluice.Invalid, "%s does not say what to stand for: %w", Variable, err).
			WithHint("it is set by: sluice run --local")
	}
	if s.Job {
		return s.runJob(out)
	}
	fmt.Fprintf(out, "stands for: %s\n", s)
	return s.serve(ctx, out)
}

func (s Spec) runJob(out io.Writer) error {
	fmt.Fprintf(out, "would have run: %s\n", s)
	if s.Fail {
		return sluice.Errorf(sluice.Failed, "the rehearsal has this Job fail")
	}
	return nil
}

// serve listens on every port until ctx ends. A port that another container of the pod has taken is left to it.
func (s Spec) serve(ctx context.Context, out io.Writer) error {
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(s.answer)}
	failed := make(chan error, len(s.Ports))
	for _, port := range s.Ports {
		l, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("POD_IP"), strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			fmt.Fprintf(out, "port %d is taken by another container\n", port)
			continue
		}
		if err != nil {
			return sluice.Errorf(sluice.Unavailable, "the stand-in cannot listen on port %d: %w", port, err)
		}
		fmt.Fprintf(out, "listens on %s\n", l.Addr())
		go func() { failed <- server.Serve(patient{l}) }()
	}
	select {
	case <-ctx.Done():
		return server.Close()
	case err := <-failed:
		return errors.Join(err, server.Close())
	}
}

func (s Spec) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "a stand-in for %s got %s %s\n", s.Image, r.Method, r.URL.Path)
}

// A patient listener returns connections that stay open when a client speaks another protocol, instead of answering
// that it is not HTTP.
type patient struct{ net.Listener }

func (p patient) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &heard{Conn: conn, in: bufio.NewReader(conn)}, nil
}

// A heard connection ignores what is not HTTP.
type heard struct {
	net.Conn
	in    *bufio.Reader
	known bool
}

// Read looks at the first byte: methods begin with a capital letter. Everything else is read and never answered.
func (h *heard) Read(b []byte) (int, error) {
	if !h.known {
		first, err := h.in.Peek(1)
		if err != nil {
			return 0, err
		}
		h.known = true
		if first[0] < 'A' || first[0] > 'Z' {
			// The server's time limit for a request's header must not apply to a client that sends none.
			_ = h.Conn.SetReadDeadline(time.Time{})
			_, err := io.Copy(io.Discard, h.in)
			return 0, errors.Join(io.EOF, err)
		}
	}
	return h.in.Read(b)
}
