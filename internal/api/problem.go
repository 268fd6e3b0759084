package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/status"
)

// A Problem is an error on the wire, as RFC 9457 has it, with the code and the hint of a [sluice.Error].
type Problem struct {
	Title       string             `json:"title" doc:"The status in words"`
	Status      int                `json:"status" doc:"The HTTP status"`
	Detail      string             `json:"detail" doc:"What went wrong"`
	Code        sluice.Code        `json:"code" doc:"The kind of error, which never changes its meaning"`
	Op          string             `json:"op,omitempty" doc:"What was being done"`
	Hint        string             `json:"hint,omitempty" doc:"What to do next"`
	Position    *sluice.Position   `json:"position,omitempty" doc:"Where in the caller's files"`
	Diagnostics sluice.Diagnostics `json:"diagnostics,omitempty" doc:"All findings in the caller's files"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

var _ huma.StatusError = (*Problem)(nil)

// problemOf returns the error for the wire.
func problemOf(err error) *Problem {
	code := sluice.ErrorCode(err)
	p := &Problem{Status: status.Of(code), Code: code, Detail: err.Error(), Hint: sluice.ErrorHint(err)}
	p.Title = http.StatusText(p.Status)
	if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
		p.Diagnostics = ds
		return p
	}
	if e, ok := err.(*sluice.Error); ok {
		bare := *e
		bare.Op, bare.Pos = "", sluice.Position{}
		p.Op, p.Detail = e.Op, bare.Error()
		if e.Pos != (sluice.Position{}) {
			p.Position = &e.Pos
		}
	}
	return p
}

// err returns the error that was put on the wire.
func (p *Problem) err() error {
	if len(p.Diagnostics) > 0 {
		return p.Diagnostics
	}
	e := &sluice.Error{Code: p.Code, Op: p.Op, Message: p.Detail, Hint: p.Hint}
	if p.Position != nil {
		e.Pos = *p.Position
	}
	return e
}

// refused is the problem of a request that huma refuses.
func refused(answered int, message string, errs ...error) huma.StatusError {
	p := &Problem{Status: answered, Title: http.StatusText(answered), Detail: message, Code: status.Code(answered)}
	if answered == http.StatusUnprocessableEntity { // the request does not fit its schema
		p.Code, p.Status, p.Title = sluice.Invalid, http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
	}
	for i, err := range errs {
		if detail, ok := errors.AsType[*Problem](err); ok {
			return detail
		}
		if err != nil && i < maxDetails {
			p.Detail += "; " + withoutValue(err)
		}
	}
	if p.Code == sluice.Invalid {
		p.Hint = "see what the API takes at /api/v1/openapi.json"
	}
	return p
}

// withoutValue says what is wrong without the value that is wrong, which may be secret.
func withoutValue(err error) string {
	detail, ok := errors.AsType[*huma.ErrorDetail](err)
	switch {
	case !ok:
		return err.Error()
	case detail.Location == "":
		return detail.Message
	}
	return detail.Location + ": " + detail.Message
}

// maxDetails bounds how much of what is wrong with a request its answer says.
const maxDetails = 5

// maxProblem bounds the answer that a client reads as an error.
const maxProblem = 4 << 20

// readProblem reads the error that an answer carries.
func (c *Client) readProblem(resp *http.Response) error {
	var p Problem
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if c.direct && (err != nil || p.Code == "") {
		return sluice.Errorf(sluice.Unavailable, "the running engine answers %s: it may be another version of sluice",
			resp.Status).WithHint("wait until it ends, or end it and go on with: sluice run --resume")
	}
	if err != nil || p.Code == "" {
		return sluice.Errorf(sluice.Unavailable, "%s answers %s, which no sluice server answers", resp.Request.URL.Host,
			resp.Status).WithHint("see whether the address is that of a sluice server, and what stands before it")
	}
	return p.err()
}
