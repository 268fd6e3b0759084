package agent

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice/internal/local/proxy"
)

// AtRest answers for an account without an agent, from what the account's directory holds. It starts nothing and
// writes nothing, so it refuses whatever would. The images are added to those that the account knows.
func AtRest(dir string, images map[string]Image) (http.RoundTripper, error) {
	a := &Agent{
		dir: dir, log: slog.New(slog.DiscardHandler), pods: map[string]*pod{}, images: map[string]Image{},
		ports: map[portKey]*proxy.Port{}, wakeup: make(chan struct{}, 1), ctx: context.Background(),
	}
	if _, err := readJSON(filepath.Join(dir, "images.json"), &a.images); err != nil {
		return nil, err
	}
	maps.Copy(a.images, images)
	var err error
	if a.net, err = networkAtRest(dir); err != nil {
		return nil, err
	}
	if a.store, err = loadStore(filepath.Join(dir, "objects"), a.events.send); err != nil {
		return nil, err
	}
	for _, e := range a.store.list("Service", "") {
		e.Address = a.net.present(e.Address)
	}
	records, err := loadRecords(dir)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		a.pods[r.UID] = newPod(a.ctx, r)
	}
	return inProcess{a.answers()}, nil
}

// networkAtRest returns the block that the account would get now. It keeps nobody from taking it.
func networkAtRest(dir string) (*network, error) {
	id, err := os.ReadFile(filepath.Join(dir, "id"))
	if ignoreAbsent(err) != nil {
		return nil, err
	}
	n, _, err := findNetwork(dir, string(id))
	if err != nil {
		return nil, err
	}
	return n, n.release()
}

// inProcess lets a handler answer in this process, without a connection.
type inProcess struct{ handler http.Handler }

// RoundTrip returns as soon as the answer has begun. The rest of it comes as the handler writes it.
func (i inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	body, w := io.Pipe()
	out := &answering{header: http.Header{}, body: w, begun: make(chan int, 1)}
	go func() {
		i.handler.ServeHTTP(out, r)
		out.WriteHeader(http.StatusOK)
		_ = w.Close() // it never fails
	}()
	select {
	case status := <-out.begun:
		return &http.Response{StatusCode: status, Header: out.header, Body: body, Request: r}, nil
	case <-r.Context().Done():
		_ = body.Close() // it never fails; the handler's next write does
		return nil, r.Context().Err()
	}
}

// answering is the answer of a handler. The first status counts.
type answering struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan int
	said   bool
}

func (a *answering) Header() http.Header { return a.header }

func (a *answering) WriteHeader(status int) {
	if !a.said {
		a.said = true
		a.begun <- status
	}
}

func (a *answering) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Flush is for streams: nothing is held back here.
func (a *answering) Flush() {}
