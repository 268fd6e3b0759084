package beside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/sluice-cd/sluice"
)

// Bounds of what either side reads into memory.
const (
	maxArguments = 64 << 20
	maxResult    = 64 << 20
	maxError     = 64 << 10
)

// Call calls the function that the Job offers at the path by [Handle]. It passes on what the function reports, and
// returns its result or its error. The function's context ends with ctx, and with the connection.
func Call[A, R any](
	ctx context.Context, s *Session, path string, arguments A, report func(sluice.Amount),
) (result R, err error) {
	body, err := json.Marshal(arguments)
	if err != nil {
		return result, sluice.Errorf(sluice.Internal, "the arguments for %s cannot be written as JSON: %w", path, err)
	}
	resp, err := s.Do(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	return resultOf[R](resp.Body, report, func(err error) error { return s.away(ctx, err) })
}

// resultOf reads an answer up to its end. An answer without one is the error that away makes of it.
func resultOf[R any](answer io.Reader, report func(sluice.Amount), away func(error) error) (result R, err error) {
	in := &bounded{in: answer}
	for lines := json.NewDecoder(in); ; {
		in.left = maxResult
		var l line[R]
		if err := lines.Decode(&l); err != nil {
			return result, away(noEnd(err))
		}
		switch {
		case l.Error != nil:
			return result, l.Error.Err()
		case l.Result != nil:
			return *l.Result, nil
		case l.Amount != nil && report != nil:
			report(*l.Amount)
		}
	}
}

// noEnd turns the end of an answer into an error: the last line of an answer is a result or an error.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Handle offers a function to Sluice. It may report how far it is, also from several goroutines. Its context ends when
// the caller gives up or the connection breaks.
func Handle[A, R any](
	mux *http.ServeMux, path string, f func(ctx context.Context, arguments A, report func(sluice.Amount)) (R, error),
) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var arguments A
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxArguments)).Decode(&arguments); err != nil {
			WriteError(w, sluice.Errorf(sluice.Invalid, "the arguments of %s cannot be read: %w", path, err))
			return
		}
		out := &stream{to: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
		w.Header().Set("Content-Type", "application/x-ndjson")
		result, err := f(r.Context(), arguments, func(a sluice.Amount) { out.send(line[R]{Amount: &a}) })
		if err != nil {
			out.send(line[R]{Error: FaultOf(err)})
			return
		}
		out.send(line[R]{Result: &result})
	})
}

// A line is one line of an answer: a report, or the result or error that ends it.
type line[R any] struct {
	Amount *sluice.Amount `json:"amount,omitempty"`
	Result *R             `json:"result,omitempty"`
	Error  *Fault         `json:"error,omitempty"`
}

// A stream sends lines one after another.
type stream struct {
	mu    sync.Mutex
	to    *json.Encoder
	flush func() error
}

// send sends a line. That nobody reads it shows in the context of the request.
func (s *stream) send(line any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to.Encode(line) == nil {
		_ = s.flush()
	}
}

// bounded ends a reader that has read more than is left.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, sluice.Errorf(sluice.Failed, "an answer is larger than %d MiB", maxResult>>20)
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// A Fault is an error on the wire. The cause is part of the message.
type Fault struct {
	Code    sluice.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

// codes are those that an error of a Job may have. It cannot make Sluice believe that Sluice itself is at fault.
var codes = map[sluice.Code]int{
	sluice.Invalid: http.StatusBadRequest, sluice.NotFound: http.StatusNotFound, sluice.Conflict: http.StatusConflict,
	sluice.Unavailable: http.StatusServiceUnavailable, sluice.Unsupported: http.StatusNotImplemented,
	sluice.Denied: http.StatusForbidden, sluice.Unauthenticated: http.StatusUnauthorized,
	sluice.Exhausted: http.StatusInsufficientStorage, sluice.Failed: http.StatusUnprocessableEntity,
	sluice.Cancelled: 499, sluice.Internal: http.StatusInternalServerError,
}

// FaultOf returns the error as it is sent.
func FaultOf(err error) *Fault {
	code := sluice.ErrorCode(err)
	if code == sluice.Internal && errors.Is(err, context.Canceled) {
		code = sluice.Cancelled
	}
	return &Fault{Code: code, Message: cut(err.Error()), Hint: cut(sluice.ErrorHint(err))}
}

// cut bounds a text that is sent.
func cut(text string) string { return text[:min(len(text), maxError/8)] }

// Err returns the error as it was, with bounds.
func (f *Fault) Err() error {
	code := f.Code
	if codes[code] == 0 {
		code = sluice.Failed
	}
	return &sluice.Error{Code: code, Message: cut(f.Message), Hint: cut(f.Hint)}
}

// WriteError answers a request of [Session.Do] with the error.
func WriteError(w http.ResponseWriter, err error) {
	fault := FaultOf(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(codes[fault.Code])
	_ = json.NewEncoder(w).Encode(fault) // a caller that went away does not want the answer
}
