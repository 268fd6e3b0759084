package inbound

import (
	"encoding/json"
	"net/http"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/status"
)

// A refusal is the body of an answer to a request that is not granted. The cause is part of the message.
type refusal struct {
	Code    sluice.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

func refusalOf(err error) refusal {
	return refusal{Code: sluice.ErrorCode(err), Message: err.Error(), Hint: sluice.ErrorHint(err)}
}

// writeError answers with the error.
func writeError(w http.ResponseWriter, err error) {
	writeJSON(w, status.Of(sluice.ErrorCode(err)), refusalOf(err))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, _ := json.Marshal(body) // its fields can always be encoded
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // a caller that went away does not want the answer
}
