package sluice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Code classifies an Error. One table maps codes to exit statuses, another one maps them to HTTP statuses.
type Code string

// The codes. Anything that is not an Error counts as Internal.
const (
	Invalid         Code = "invalid"         // the input is wrong; nothing was changed
	NotFound        Code = "notFound"        // the thing with that name does not exist
	Conflict        Code = "conflict"        // somebody else came first
	Unavailable     Code = "unavailable"     // a server, disk or network does not answer; trying again may help
	Unsupported     Code = "unsupported"     // the input is right, but Sluice cannot do this here
	Denied          Code = "denied"          // a right is missing
	Unauthenticated Code = "unauthenticated" // a server refuses the credentials; they may be replaced
	Exhausted       Code = "exhausted"       // no space, port or time is left
	Failed          Code = "failed"          // the release does not work: a gate refused it, or a pod never became ready
	Cancelled       Code = "cancelled"       // somebody asked to stop
	Internal        Code = "internal"        // a defect of Sluice
)

// IsOutage reports whether the server does not answer at all or lets nobody in, so that no other call works either.
func (c Code) IsOutage() bool { return c == Unavailable || c == Unauthenticated }

// IsRefusal reports whether the answer was no, and asking again will not change it.
func (c Code) IsRefusal() bool {
	switch c {
	case Invalid, NotFound, Unsupported, Conflict, Denied, Exhausted:
		return true
	}
	return false
}

// An Error says what went wrong, where, and what to do next. Message is a sentence for a person, without the
// final period. Hint is the next thing to do or to type. Err is the cause, for the log.
type Error struct {
	Code    Code
	Op      string // verb and object, as in "apply StatefulSet/mongo"
	Message string
	Hint    string
	Field   string // of the object that Op is about, as in spec.ports[0].port; "" if no single field is wrong
	Pos     Position
	Err     error
}

// Error returns "deploy.yaml:3:5: apply Service/web: message: cause", without the absent parts.
func (e *Error) Error() string {
	var parts []string
	if e.Pos.IsValid() {
		parts = append(parts, e.Pos.String())
	}
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Message != "" {
		parts = append(parts, e.Message)
	}
	if e.Err != nil && !strings.HasSuffix(e.Message, e.Err.Error()) {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with the code and a formatted message. A %w verb also sets the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint returns a copy of e that says what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// At returns a copy of e that says where in the user's files the fault is.
func (e *Error) At(pos Position) *Error {
	c := *e
	c.Pos = pos
	return &c
}

// ErrorCode returns the code of the first Error in the chain, Internal if there is none, and "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if ds, ok := errors.AsType[Diagnostics](err); ok && len(ds) > 0 {
		return Invalid
	}
	return Internal
}

// ErrorHint returns the first hint in the chain, "" if there is none.
func ErrorHint(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// MayPass reports whether what failed may work later although nobody changes the deployment: a server answers again,
// room was made, a right or new credentials were given. One such cause among several is enough.
func MayPass(err error) bool {
	if e, ok := err.(*Error); ok && (e.Code.IsOutage() || e.Code == Exhausted || e.Code == Denied) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return MayPass(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), MayPass)
	}
	return false
}
