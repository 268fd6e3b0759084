package agent

import (
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

// Patience is how long the agent may be silent before a client gives up.
const Patience = 5 * time.Second

// sentHeader says when a request was sent, in milliseconds.
const sentHeader = "Sluice-Sent"

// Stamp marks the request with the time.
func Stamp(r *http.Request) { r.Header.Set(sentHeader, strconv.FormatInt(time.Now().UnixMilli(), 10)) }

// timely refuses requests that were sent too long ago. Their clients have given up and may have asked for something
// else since, which an old request must not undo once an agent that was stopped continues.
func timely(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := strconv.ParseInt(r.Header.Get(sentHeader), 10, 64)
		if err == nil && time.Since(time.UnixMilli(sent)) > Patience {
			refuse(w, sluice.Errorf(sluice.Unavailable, "the agent of the local account got the request too late"))
			return
		}
		h.ServeHTTP(w, r)
	})
}
