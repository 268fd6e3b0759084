package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	kjson "sigs.k8s.io/json"
)

// handler is the API on the socket: one path a verb, the request as JSON, the answer as JSON or a Failure.
func (a *Agent) handler() http.Handler {
	mux := a.questions()
	handle(mux, "/apply", func(_ context.Context, r ApplyRequest) (ApplyResponse, error) {
		o, outcome, err := a.Apply(r)
		return ApplyResponse{o, outcome}, err
	})
	handle(mux, "/beside", func(_ context.Context, r BesideRequest) (ApplyResponse, error) {
		o, outcome, err := a.Beside(r)
		return ApplyResponse{o, outcome}, err
	})
	handle(mux, "/orphan", func(_ context.Context, r sluice.Ref) (none, error) { return none{}, a.Orphan(r) })
	handle(mux, "/delete", func(ctx context.Context, r sluice.Ref) (none, error) { return none{}, a.Delete(ctx, r) })
	handle(mux, "/scale", func(_ context.Context, r ScaleRequest) (none, error) { return none{}, a.Scale(r) })
	handle(mux, "/evict", func(ctx context.Context, r EvictRequest) (none, error) { return none{}, a.Evict(ctx, r) })
	handle(mux, "/exec", a.Exec)
	handle(mux, "/shift", func(_ context.Context, r ShiftRequest) (none, error) { return none{}, a.Shift(r) })
	handle(mux, "/images", func(_ context.Context, r map[string]Image) (none, error) { return none{}, a.SetImages(r) })
	handle(mux, "/down", func(context.Context, none) (none, error) { return none{}, a.Down() })
	a.handleVolumes(mux)
	stream(mux, "/tail", a.Tail)
	return timely(mux)
}

// questions are the verbs that change nothing.
func (a *Agent) questions() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(http.ResponseWriter, *http.Request) {}) // whether the agent runs, however busy it is
	handle(mux, "/get", func(_ context.Context, r sluice.Ref) (sluice.Object, error) { return a.Get(r) })
	handle(mux, "/list", func(_ context.Context, r WatchRequest) ([]sluice.Object, error) { return a.List(r), nil })
	handle(mux, "/pods", func(_ context.Context, namespace string) ([]sluice.Pod, error) { return a.Pods(namespace), nil })
	handle(mux, "/logs", func(_ context.Context, r LogsRequest) ([]string, error) { return a.Logs(r) })
	handle(mux, "/address", func(_ context.Context, r AddressRequest) (string, error) { return a.Address(r) })
	handle(mux, "/claims", func(_ context.Context, r ClaimsRequest) ([]sluice.ClaimState, error) { return a.Describe(r) })
	stream(mux, "/watch", a.Watch)
	return mux
}

// answers is the API of an account at rest: questions, dry runs, and a refusal of all else.
func (a *Agent) answers() http.Handler {
	mux := a.questions()
	handle(mux, "/apply", func(_ context.Context, r ApplyRequest) (ApplyResponse, error) {
		if !r.DryRun {
			return ApplyResponse{}, errAtRest
		}
		o, outcome, err := a.Apply(r)
		return ApplyResponse{o, outcome}, err
	})
	handle(mux, "/", func(context.Context, any) (none, error) { return none{}, errAtRest })
	return mux
}

var errAtRest = sluice.Errorf(sluice.Unavailable, "the local account does not run").WithHint("sluice run starts it")

type none struct{}

// requestLimit is larger than any reasonable manifest.
const requestLimit = 16 << 20

func handle[Request, Response any](mux *http.ServeMux, path string,
	f func(context.Context, Request) (Response, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		request, err := decode[Request](w, r)
		if err != nil {
			refuse(w, err)
			return
		}
		response, err := f(r.Context(), request)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(response) // the client may have gone
	})
}

func decode[Request any](w http.ResponseWriter, r *http.Request) (Request, error) {
	var request Request
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimit))
	if err != nil {
		return request, sluice.Errorf(sluice.Invalid, "the request is cut off or too long: %w", err)
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(b, &request); err != nil {
		return request, sluice.Errorf(sluice.Invalid, "the request is not as expected: %w", err)
	}
	return request, nil
}

func refuse(w http.ResponseWriter, err error) {
	err = spaceError(err)
	f := Failure{Code: sluice.ErrorCode(err), Message: err.Error(), Hint: sluice.ErrorHint(err)}
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		f.Field = e.Field
	}
	if command, ok := errors.AsType[CommandError](err); ok {
		f.Output = command.Output
	}
	if errors.Is(err, context.Canceled) {
		f.Code = sluice.Cancelled
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(f) // the client may have gone
}

// Err returns the error that the failure was made from.
func (f Failure) Err() error {
	err := &sluice.Error{Code: f.Code, Message: f.Message, Hint: f.Hint, Field: f.Field}
	if f.Output != "" {
		return CommandError{err, f.Output}
	}
	return err
}

// spaceError distinguishes a full disk from a defect. An Error stays as it is.
func spaceError(err error) error {
	isFull := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	if _, known := errors.AsType[*sluice.Error](err); known || !isFull {
		return err
	}
	return sluice.Errorf(sluice.Exhausted, "no space is left for the local account: %w", err).
		WithHint("free space on the disk that holds this file")
}

// stream answers with one line of JSON for each value that f sends, until f returns or the client leaves.
func stream[Request, Line any](mux *http.ServeMux, path string,
	f func(ctx context.Context, request Request, send func(Line) error) error) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		request, err := decode[Request](w, r)
		if err != nil {
			refuse(w, err)
			return
		}
		out, begun := json.NewEncoder(w), false
		err = f(r.Context(), request, func(line Line) error {
			begun = true
			if err := out.Encode(line); err != nil {
				return err
			}
			return http.NewResponseController(w).Flush()
		})
		if !begun && err != nil {
			refuse(w, err)
		}
	})
}
