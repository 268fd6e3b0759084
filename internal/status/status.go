// Package status has the one table from codes of errors to HTTP statuses, for everything that answers over HTTP.
package status

import (
	"net/http"

	"github.com/sluice-cd/sluice"
)

var statuses = map[sluice.Code]int{
	sluice.Invalid:         http.StatusBadRequest,
	sluice.NotFound:        http.StatusNotFound,
	sluice.Conflict:        http.StatusConflict,
	sluice.Unavailable:     http.StatusServiceUnavailable,
	sluice.Unsupported:     http.StatusNotImplemented,
	sluice.Denied:          http.StatusForbidden,
	sluice.Unauthenticated: http.StatusUnauthorized,
	sluice.Exhausted:       http.StatusInsufficientStorage,
	sluice.Failed:          http.StatusUnprocessableEntity,
	sluice.Cancelled:       499, // what proxies write if the caller went away
	sluice.Internal:        http.StatusInternalServerError,
}

// Of returns the HTTP status of a code.
func Of(code sluice.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Code returns the code of a status: Internal for other statuses from 500 on, otherwise Invalid.
func Code(status int) sluice.Code {
	for code, s := range statuses {
		if s == status {
			return code
		}
	}
	if status >= http.StatusInternalServerError {
		return sluice.Internal
	}
	return sluice.Invalid
}
