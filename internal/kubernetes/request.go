package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// maxAnswer bounds what is read of an answer that is no log and no stream.
const maxAnswer = 64 << 20

// maxFailure bounds what is read of an answer that tells why something was refused.
const maxFailure = 1 << 20

// A request is one call of the API server that the dynamic client has no method for, or for whose answer it
// would keep too much.
type request struct {
	op     string // for messages
	method string // default GET
	path   string
	query  url.Values
	accept string
	body   any
	into   any
}

// call sends the request and decodes the answer; fields that into lacks are not kept.
func (a *Account) call(ctx context.Context, r request) error {
	body, err := a.open(ctx, r)
	if err != nil || body == nil {
		return err
	}
	defer body.Close()
	if r.into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(r.into); err != nil {
		return mapError(r.op, err)
	}
	return nil
}

// open sends the request and hands out the body of a good answer.
func (a *Account) open(ctx context.Context, r request) (io.ReadCloser, error) {
	req, err := a.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, mapError(r.op, unwrapURL(err))
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, told(r.op, statusError(resp, req.Method))
	}
	return resp.Body, nil
}

func (a *Account) request(ctx context.Context, r request) (*http.Request, error) {
	at, err := a.url(r.path, r.query)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, mapError(r.op, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodGet), at.String(), body)
	if err != nil {
		return nil, mapError(r.op, err)
	}
	req.Header.Set("Accept", cmp.Or(r.accept, "application/json"))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// url returns where the path is at the API server, which may itself lie below a path.
func (a *Account) url(path string, query url.Values) (*url.URL, error) {
	base, _, err := rest.DefaultServerUrlFor(a.config)
	if err != nil {
		return nil, mapError("reach account "+a.name, err)
	}
	u := *base
	u.Path = strings.TrimRight(base.Path, "/") + path
	u.RawQuery = query.Encode()
	return &u, nil
}

// statusError reads the API server's own words, if that is who speaks.
func statusError(resp *http.Response, verb string) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxFailure))
	if err != nil {
		return err
	}
	if s, ok := statusOf(data); ok {
		return asError(s)
	}
	return apierrors.NewGenericServerResponse(resp.StatusCode, verb, schema.GroupResource{}, "", strings.TrimSpace(string(data)), 0, true)
}

func asError(s metav1.Status) error { return &apierrors.StatusError{ErrStatus: s} }

func statusOf(data []byte) (metav1.Status, bool) {
	var s metav1.Status
	err := json.Unmarshal(data, &s)
	return s, err == nil && s.Kind == "Status" && s.APIVersion == "v1" && s.Code >= http.StatusBadRequest
}

// A toldError is an error as it is told, with the server's own behind it.
type toldError struct {
	error
	cause error
}

func (e toldError) Unwrap() []error { return []error{e.error, e.cause} }

func told(op string, err error) error { return toldError{mapError(op, err), err} }

// unwrapURL drops the address from the error: it says nothing that the account's name does not.
func unwrapURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// namespaced returns the path of a resource of the core group, or of group/version.
func namespaced(groupVersion, namespace string, parts ...string) string {
	path := "/api/v1"
	if groupVersion != "v1" {
		path = "/apis/" + groupVersion
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path + "/" + strings.Join(parts, "/")
}
