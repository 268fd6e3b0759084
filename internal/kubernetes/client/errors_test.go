package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

func TestWrap(t *testing.T) {
	status := func(code int32, message string, causes ...metav1.StatusCause) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message,
			Details: &metav1.StatusDetails{Causes: causes}}}
	}
	secret := func(code int32, message string, causes ...metav1.StatusCause) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message,
			Details: &metav1.StatusDetails{Kind: "Secret", Causes: causes}}}
	}
	for name, test := range map[string]struct {
		err     error
		code    sluice.Code
		message string
	}{
		"no credentials": {status(401, "Unauthorized"), sluice.Unauthenticated,
			"the API server refuses the credentials: Unauthorized"},
		"no right": {status(403,
			`deployments.apps "web" is forbidden: User "ci" cannot patch resource "deployments" in API group "apps" `+
				`in the namespace "prod"`),
			sluice.Denied, "ci may not patch deployments.apps in namespace prod"},
		"no right anywhere": {status(403,
			`namespaces is forbidden: User "ci" cannot list resource "namespaces" in API group "" at the cluster scope`),
			sluice.Denied, "ci may not list namespaces"},
		"quota": {status(403,
			`pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1`), sluice.Exhausted,
			`pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1`},
		"ending namespace": {status(403, `forbidden`, metav1.StatusCause{Type: "NamespaceTerminating"}), sluice.Conflict,
			"forbidden"},
		"policy": {status(403, `admission webhook "p.example.com" denied the request: no root`), sluice.Denied,
			"the admission webhook p.example.com refuses it: no root"},
		"policy as bad": {status(400, `admission webhook "p.example.com" denied the request: no root`), sluice.Denied,
			"the admission webhook p.example.com refuses it: no root"},
		"absent": {status(404, `configmaps "a" not found`), sluice.NotFound, `configmaps "a" not found`},
		"other manager": {status(409, "Apply failed with 1 conflict",
			metav1.StatusCause{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas",
				Message: `conflict with "kubectl-edit" using apps/v1`}),
			sluice.Conflict, `field .spec.replicas is set by "kubectl-edit"`},
		"several managers": {status(409, "", metav1.StatusCause{Type: metav1.CauseTypeFieldManagerConflict, Field: ".a",
			Message: `conflict with "x" with subresource "scale" using apps/v1 at 2024`},
			metav1.StatusCause{Type: metav1.CauseTypeFieldManagerConflict, Field: ".b",
				Message: `conflict with "sluice-traffic" using v1`}), sluice.Conflict, `field .a is set by "x"`},
		"written meanwhile": {status(409, "the object has been modified"), sluice.Conflict,
			"the object has been modified"},
		"invalid": {status(422, "Deployment is invalid", metav1.StatusCause{Field: "spec.replicas",
			Message: "Invalid value: -1: must be positive"}), sluice.Invalid,
			"spec.replicas: Invalid value: -1: must be positive"},
		"unknown field": {status(500,
			"failed to create typed patch object (n/web; apps/v1, Kind=Deployment): .spec.replicsa: "+
				"field not declared in schema"), sluice.Invalid, "there is no field .spec.replicsa"},
		"secret value": {secret(422, "", metav1.StatusCause{Field: "data[k]",
			Message: `Invalid value: "hunter2": is not valid`}), sluice.Invalid, "data[k]: Invalid value: is not valid"},
		"secret alone": {secret(422, "", metav1.StatusCause{Field: "data", Message: `Invalid value: "hunter2"`}),
			sluice.Invalid, "data: Invalid value"},
		"secret in two": {secret(422, "", metav1.StatusCause{Field: "data", Message: `Invalid value: "a: hunter2"`}),
			sluice.Invalid, "data: Invalid value"},
		"long value": {status(422, "", metav1.StatusCause{Field: "spec.template", Message: "Invalid value: {" +
			strings.Repeat("x: y, ", 100) + "}: field is immutable"}), sluice.Invalid,
			"spec.template: Invalid value: field is immutable"},
		"too many requests": {status(429, "try again"), sluice.Unavailable, "the cluster answers: try again"},
		"server in trouble": {status(500, "etcdserver: leader changed"), sluice.Unavailable,
			"the cluster answers: etcdserver: leader changed"},
		"webhook away": {status(500,
			`Internal error occurred: failed calling webhook "v.example.com": connection refused`), sluice.Unavailable,
			`the admission webhook "v.example.com" does not answer: failed calling webhook "v.example.com": connection refused`},
		"nobody there":         {&url.Error{Err: syscall.ECONNREFUSED}, sluice.Unavailable, "the cluster does not answer: "},
		"answer to a question": {sluice.Errorf(sluice.Invalid, "no"), sluice.Invalid, "no"},
	} {
		err := Wrap("do it", test.err)
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Code != test.code || !strings.HasPrefix(e.Message, test.message) {
			t.Errorf("%s: %v (%s), want %s %q", name, err, sluice.ErrorCode(err), test.code, test.message)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, e.Err), "hunter2") {
			t.Errorf("%s: the error tells a secret", name)
		}
	}
	if err := Wrap("do it", fmt.Errorf("x: %w", context.Canceled)); !errors.Is(err, context.Canceled) ||
		sluice.ErrorCode(err) == sluice.Unavailable {
		t.Errorf("the caller's end is %v", err)
	}
}
