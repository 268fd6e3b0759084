package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/status"
)

// A problem is an error as a page shows it: what went wrong, where, and what to do next.
type problem struct {
	Code    sluice.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

func problemOf(err error) *problem {
	return &problem{sluice.ErrorCode(err), err.Error(), sluice.ErrorHint(err)}
}

// fail answers with an error. A person without a session is sent to the login, and comes back from there.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	accept := r.Header.Get("Accept")
	isForProgram := isJSON(accept) || strings.Contains(accept, "text/event-stream")
	switch {
	case isForProgram:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status.Of(sluice.ErrorCode(err)))
		_ = present.JSON(w, "Error", *problemOf(err)) // the reader went away
	case sluice.ErrorCode(err) == sluice.Unauthenticated:
		http.Redirect(w, r, "/login?return="+url.QueryEscape(pageOf(r)), http.StatusSeeOther)
	default:
		view := screen{
			shown: &shown{Title: "This did not work"}, Page: page{name: "problem"},
			Refused: problemOf(err), Path: r.URL.Path,
		}
		p.write(w, view, status.Of(sluice.ErrorCode(err)))
	}
}

// pageOf is the address of the page that a request is for. A form's is above its own.
func pageOf(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return r.URL.Path[:max(1, strings.LastIndex(r.URL.Path, "/"))]
	}
	u := url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	return u.String()
}
