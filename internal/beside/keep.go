package beside

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/sluice-cd/sluice"
)

const (
	// keptFile is where a pod finds the call that the work keeps.
	keptFile = "kept.json"
	// retries is how often the cluster replaces the pod of a Job whose calls may be kept.
	retries = 10
)

// A Kept call takes back what nobody may be left to take back, such as a lock. It is made by the pod that replaces a
// killed one, before that answers anybody, and by the next [Bench.Open] or [Bench.End] of the work. It may be made more
// than once.
type Kept struct {
	Path      string          `json:"path"`
	Arguments json.RawMessage `json:"arguments"`
}

// keptRef names the Secret with the kept call. It does not belong to the Job: it outlives that.
func (w Work) keptRef() sluice.Ref {
	ref := w.secretRef()
	ref.Name += "-kept"
	return ref
}

// Keep keeps the call of the path with the arguments until [Session.Forget]. The work must be one that Keeps.
func (s *Session) Keep(ctx context.Context, path string, arguments any) error {
	if !s.work.Keeps {
		return sluice.Errorf(sluice.Internal, "%s keeps no calls", s.name)
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		return sluice.Errorf(sluice.Internal, "the arguments for %s cannot be written as JSON: %w", path, err)
	}
	data, err := json.Marshal(Kept{path, raw})
	if err != nil {
		return sluice.Errorf(sluice.Internal, "the call of %s cannot be written as JSON: %w", path, err)
	}
	return s.work.apply(ctx, s.work.object(s.work.keptRef(), map[string]any{
		"type": "Opaque", "data": map[string]any{keptFile: base64.StdEncoding.EncodeToString(data)},
	}))
}

// Forget ends what Keep began. It succeeds if nothing is kept.
func (s *Session) Forget(ctx context.Context) error {
	return s.work.Place.Account.Delete(ctx, s.work.keptRef())
}

// kept returns the call that is kept for the work, nil if there is none.
func (w Work) kept(ctx context.Context) (*Kept, error) {
	secret, err := w.Place.Account.Get(ctx, w.keptRef())
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(secret.Text("data", keptFile))
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%s cannot be read: %w", w.keptRef(), err)
	}
	return readKept(data)
}

func readKept(data []byte) (*Kept, error) {
	k := &Kept{}
	if err := json.Unmarshal(data, k); err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the kept call of a Job cannot be read: %w", err)
	}
	return k, nil
}

// makeKept makes the call that the work keeps, if there is one, and forgets it.
func (s *Session) makeKept(ctx context.Context) error {
	k, err := s.work.kept(ctx)
	if err != nil || k == nil {
		return err
	}
	if _, err := Call[json.RawMessage, json.RawMessage](ctx, s, k.Path, k.Arguments, nil); err != nil {
		return err
	}
	return s.Forget(ctx)
}

// make makes the call in the Job itself.
func (k *Kept) make(ctx context.Context, handler http.Handler) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.Path, strings.NewReader(string(k.Arguments)))
	if err != nil {
		return sluice.Errorf(sluice.Internal, "make the kept call of %s: %w", k.Path, err)
	}
	in, out := io.Pipe()
	defer func() { _ = in.Close() }() // never fails
	go func() {
		handler.ServeHTTP(&answering{PipeWriter: out, header: http.Header{}}, r)
		_ = out.Close() // never fails
	}()
	_, err = resultOf[json.RawMessage](in, nil, func(err error) error {
		return sluice.Errorf(sluice.Internal, "the kept call of %s has no end: %w", k.Path, err)
	})
	return err
}

// answering writes an answer for a call inside the Job.
type answering struct {
	*io.PipeWriter
	header http.Header
}

func (a *answering) Header() http.Header { return a.header }
func (a *answering) WriteHeader(int)     {}
func (a *answering) Flush()              {}
