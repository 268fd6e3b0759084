package rehearsal

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A receiver takes the requests of one webhook instead of the network, and keeps the last one in a form that may be
// shown.
type receiver struct {
	hide *hidden
	fail bool // it answers that something went wrong

	mu   sync.Mutex
	last string
}

// maxShown bounds how much of a body is shown.
const maxShown = 16 << 10

// RoundTrip answers the request. Nothing leaves this process.
func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	shown, err := r.describe(request)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.last = shown
	r.mu.Unlock()
	status := http.StatusOK
	if r.fail {
		status = http.StatusInternalServerError
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/plain"}},
		Body:   io.NopCloser(strings.NewReader("rehearsed\n")), Request: request,
	}, nil
}

// describe returns the request as text, one header a line, with its secrets masked.
func (r *receiver) describe(request *http.Request) (string, error) {
	u := *request.URL
	if request.Host != "" {
		u.Host = request.Host
	}
	lines := []string{request.Method + " " + u.String()}
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		if name == "Idempotency-Key" {
			continue // ours, and the same for every webhook
		}
		lines = append(lines, name+": "+strings.Join(request.Header[name], ", "))
	}
	if request.Body != nil {
		body, err := io.ReadAll(io.LimitReader(request.Body, maxShown))
		if err != nil {
			return "", err
		}
		if len(body) > 0 {
			lines = append(lines, strings.Split(strings.TrimRight(string(body), "\n"), "\n")...)
		}
	}
	return r.hide.mask(strings.Join(lines, "\n")), nil
}

func (r *receiver) shown() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
