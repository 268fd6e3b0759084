package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/status"
)

// A wireError is an error on the wire. The cause is part of the message.
type wireError struct {
	Code        sluice.Code        `json:"code"`
	Op          string             `json:"op,omitempty"`
	Message     string             `json:"message"`
	Hint        string             `json:"hint,omitempty"`
	Position    sluice.Position    `json:"position,omitzero"`
	Diagnostics sluice.Diagnostics `json:"diagnostics,omitempty"`
}

func toWire(err error) wireError {
	w := wireError{Code: sluice.ErrorCode(err), Message: err.Error(), Hint: sluice.ErrorHint(err)}
	if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
		w.Diagnostics = ds
		return w
	}
	if e, ok := err.(*sluice.Error); ok {
		bare := *e
		bare.Op, bare.Pos = "", sluice.Position{}
		w.Op, w.Position, w.Message = e.Op, e.Pos, bare.Error()
	}
	return w
}

func (w wireError) error() error {
	if len(w.Diagnostics) > 0 {
		return w.Diagnostics
	}
	return &sluice.Error{Code: w.Code, Op: w.Op, Message: w.Message, Hint: w.Hint, Pos: w.Position}
}

// writeError answers with the error.
func writeError(w http.ResponseWriter, err error) {
	writeJSON(w, status.Of(sluice.ErrorCode(err)), toWire(err))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError,
			[]byte(`{"code":"internal","message":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // a caller that went away does not want the answer
}

// readError reads the error that an answer carries.
func readError(resp *http.Response) error {
	var w wireError
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil {
		return away(err)
	}
	return w.error()
}
