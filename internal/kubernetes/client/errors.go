package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// Wrap turns an error of a call into an error of Sluice that names the operation. A cancelled call and an error of
// Sluice stay as they are. [HasStatus] still knows the API server's answer, but no text repeats it.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the name of the account says more than the address
	}
	if ours, ok := errors.AsType[*sluice.Error](err); ok {
		if ours.Code != sluice.Unauthenticated || ours.Op != "" {
			return err
		}
		named := *ours // only the operation was not known where the request was sent
		named.Op = op
		return &named
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var e *sluice.Error
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		e = classify(status.Status())
		e.Err = answer{status}
	} else {
		e = noAnswer(err)
	}
	e.Op = op
	return e
}

// An answer is the API server's answer as a cause. It has no text, since it may hold a secret.
type answer struct{ status error }

func (answer) Error() string { return "" }

func (a answer) Unwrap() error { return a.status }

func classify(s metav1.Status) *sluice.Error {
	switch code := int(s.Code); {
	case code == http.StatusUnauthorized:
		return sluice.Errorf(sluice.Unauthenticated, "the API server refuses the credentials: %s", OneLine(s.Message)).
			WithHint("check the account's kubeconfig; see what is missing with: sluice doctor")
	case code == http.StatusForbidden:
		return forbidden(s)
	case code == http.StatusNotFound:
		return sluice.Errorf(sluice.NotFound, "%s", OneLine(s.Message))
	case code == http.StatusConflict:
		return conflict(s)
	case code == http.StatusGone:
		return sluice.Errorf(sluice.Unavailable, "%s", OneLine(s.Message))
	case code == http.StatusUnprocessableEntity || code == http.StatusBadRequest || isMalformed(s.Message):
		return invalid(s)
	case code == http.StatusRequestEntityTooLarge:
		return sluice.Errorf(sluice.Invalid, "it is too large: %s", OneLine(s.Message))
	case code == http.StatusMethodNotAllowed || code == http.StatusNotAcceptable ||
		code == http.StatusUnsupportedMediaType:
		return sluice.Errorf(sluice.Unsupported, "%s", OneLine(s.Message))
	}
	return unavailable(s)
}

// noAnswer classifies an error that came before an answer, or instead of one.
func noAnswer(err error) *sluice.Error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var expired x509.CertificateInvalidError
	var record tls.RecordHeaderError
	if errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &expired) || errors.As(err, &record) {
		return sluice.Errorf(sluice.Invalid, "the cluster's certificate is not trusted: %w", err).
			WithHint("check server and certificate-authority of the account's context in its kubeconfig")
	}
	return sluice.Errorf(sluice.Unavailable, "the cluster does not answer: %w", err)
}

// unavailable returns the error for a failure that may pass.
func unavailable(s metav1.Status) *sluice.Error {
	if at := strings.Index(s.Message, "failed calling webhook "); at >= 0 {
		name, _, _ := strings.Cut(strings.TrimPrefix(s.Message[at:], "failed calling webhook "), ":")
		return sluice.Errorf(sluice.Unavailable, "the admission webhook %s does not answer: %s", name,
			OneLine(s.Message[at:])).WithHint("see whether its pods run; its Service is named by: " +
			"kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations")
	}
	return sluice.Errorf(sluice.Unavailable, "the cluster answers: %s",
		cmp.Or(OneLine(s.Message), http.StatusText(int(s.Code)), "nothing"))
}

var (
	// As in: deployments.apps "web" is forbidden: User "ci" cannot patch resource "deployments" in API group "apps"
	// in the namespace "prod"
	missingRight = regexp.MustCompile(
		`User "([^"]*)" cannot (\S+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?`)
	webhookSays = regexp.MustCompile(`admission webhook "([^"]+)" denied the request:?\s*`)
)

func forbidden(s metav1.Status) *sluice.Error {
	if m := missingRight.FindStringSubmatch(s.Message); m != nil {
		resource, where := m[3], ""
		if m[4] != "" {
			resource += "." + m[4]
		}
		if m[5] != "" {
			where = " in namespace " + m[5]
		}
		return sluice.Errorf(sluice.Denied, "%s may not %s %s%s", m[1], m[2], resource, where).
			WithHint("see which rights are missing with: sluice doctor")
	}
	switch {
	case strings.Contains(s.Message, "exceeded quota"):
		return sluice.Errorf(sluice.Exhausted, "%s", OneLine(s.Message)).
			WithHint("raise the ResourceQuota of the namespace, or let the objects ask for less")
	case IsTerminating(s):
		return sluice.Errorf(sluice.Conflict, "%s", OneLine(s.Message)).
			WithHint("run it again when the namespace is gone, or use another one")
	}
	return refused(s)
}

// IsTerminating reports whether the request was refused because the namespace is being deleted.
func IsTerminating(s metav1.Status) bool {
	ends := func(c metav1.StatusCause) bool { return c.Type == "NamespaceTerminating" }
	return slices.ContainsFunc(causes(s), ends) || strings.Contains(s.Message, "because it is being terminated")
}

// refused returns the error for a request that a policy of the cluster forbids.
func refused(s metav1.Status) *sluice.Error {
	if m := webhookSays.FindStringSubmatchIndex(s.Message); m != nil {
		name, why := s.Message[m[2]:m[3]], OneLine(s.Message[m[1]:])
		return sluice.Errorf(sluice.Denied, "the admission webhook %s refuses it: %s", name, why).
			WithHint("correct the object, or ask those who run the webhook")
	}
	return sluice.Errorf(sluice.Denied, "%s", OneLine(s.Message)).
		WithHint("correct the object, or see which rights are missing with: sluice doctor")
}

func isMalformed(message string) bool {
	return strings.Contains(message, "failed to create typed patch object") ||
		strings.Contains(message, "strict decoding error") || strings.Contains(message, "unable to decode") ||
		strings.Contains(message, "unable to convert unstructured object")
}

// As in: .spec.replicsa: field not declared in schema
var unknownField = regexp.MustCompile(`(\.[^\s:]+): field not declared in schema`)

// invalid returns an error that names the wrong fields, without values that may be secret.
func invalid(s metav1.Status) *sluice.Error {
	if m := webhookSays.FindStringSubmatchIndex(s.Message); m != nil {
		return refused(s)
	}
	if fields := unknownField.FindAllStringSubmatch(s.Message, -1); fields != nil {
		e := sluice.Errorf(sluice.Invalid, "there is no field %s", fields[0][1]).WithHint("correct its name or place")
		e.Field = strings.TrimPrefix(fields[0][1], ".")
		return e
	}
	if strings.Contains(s.Message, "illegal base64") {
		return sluice.Errorf(sluice.Invalid, "data holds a value that is not base64").
			WithHint("write plain text under stringData")
	}
	if strict, ok := strings.CutPrefix(s.Message, "error validating data: "); ok {
		return sluice.Errorf(sluice.Invalid, "%s", OneLine(strict))
	}
	list := causes(s)
	if len(list) == 0 {
		return sluice.Errorf(sluice.Invalid, "%s", redact(s, s.Message))
	}
	var parts []string
	for _, c := range list {
		parts = append(parts, strings.TrimPrefix(c.Field+": ", ": ")+redact(s, c.Message))
	}
	e := sluice.Errorf(sluice.Invalid, "%s", strings.Join(parts, "; "))
	e.Field = list[0].Field
	return e
}

// maxValue bounds the values that a message repeats.
const maxValue = 200

// redact removes the values of a Secret, and values that are too long to be of use.
func redact(s metav1.Status, message string) string {
	secret := s.Details != nil && (strings.EqualFold(s.Details.Kind, "secret") || s.Details.Kind == "secrets")
	what, said, ok := strings.Cut(message, " value: ")
	if !ok || !secret && len(said) < maxValue {
		return OneLine(message)
	}
	why := ""
	if at := strings.LastIndex(said, ": "); at >= 0 {
		why = said[at:]
	}
	if secret && strings.ContainsAny(why, "\"{}[]") {
		why = "" // the last quote ends the value
	}
	return OneLine(what + " value" + why)
}

func causes(s metav1.Status) []metav1.StatusCause {
	if s.Details == nil {
		return nil
	}
	return s.Details.Causes
}

// maxMessage bounds the cluster's part of a message.
const maxMessage = 300

// OneLine returns a message of the cluster on one line, bounded, without its final period.
func OneLine(message string) string {
	message = strings.TrimRight(strings.Join(strings.Fields(message), " "), ".")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " ..."
	}
	return message
}
