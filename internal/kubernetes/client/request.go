package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	kjson "sigs.k8s.io/json"
)

// Bounds of how much of an answer is read.
const (
	maxAnswer  = 64 << 20 // one that is neither a log nor a stream
	MaxFailure = 1 << 20  // one that says why the server refused a request
)

// pageSize is how many objects one request lists at most.
const pageSize = 500

// A Request is a call of the API server for which the dynamic client has no method, or of whose answer the dynamic
// client would keep too much.
type Request struct {
	Op     string // for messages: verb and object
	Method string // default GET
	Path   string
	Query  url.Values
	Accept string // default JSON
	Body   any    // sent as JSON; nil: nothing
	Into   any    // decoded from the answer; fields that it lacks are dropped, and integers stay integers
}

// Call sends the request and decodes the answer.
func (c *Client) Call(ctx context.Context, r Request) error {
	body, err := c.Stream(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close()
	if r.Into == nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, r.Into)
	}
	return Wrap(r.Op, err)
}

// Stream sends the request and returns the body of the answer. The caller closes it.
func (c *Client) Stream(ctx context.Context, r Request) (io.ReadCloser, error) {
	resp, err := c.Send(ctx, r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Send sends the request and returns the answer. The caller closes its body.
func (c *Client) Send(ctx context.Context, r Request) (*http.Response, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, Wrap(r.Op, err)
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, Wrap(r.Op, failure(resp, req.Method))
	}
	return resp, nil
}

// A List is an answer that lists objects, or one page of it.
type List[T any] struct {
	Metadata metav1.ListMeta `json:"metadata"`
	Items    []T             `json:"items"`
}

// Pages lists objects page by page.
func Pages[T any](ctx context.Context, c *Client, r Request, each func(page *List[T])) error {
	return PagesAs(ctx, c, r, nil, each)
}

// PagesAs is Pages for a kind that has the form, nil for JSON alone.
func PagesAs[T any](ctx context.Context, c *Client, r Request, form *Form[T], each func(page *List[T])) error {
	if form != nil {
		r.Accept = AcceptProtobuf
	}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	maps.Copy(query, r.Query)
	r.Query = query
	for {
		resp, err := c.Send(ctx, r)
		if err != nil {
			return err
		}
		page, err := readPage(resp, form)
		_ = resp.Body.Close()
		if err != nil {
			return Wrap(r.Op, err)
		}
		each(page)
		if page.Metadata.Continue == "" {
			return nil
		}
		r.Query.Set("continue", page.Metadata.Continue)
	}
}

// RoundTrip sends a request that was built for a [Client.URL] with the credentials of the account.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.credentials.RoundTrip(req)
}

func (c *Client) newRequest(ctx context.Context, r Request) (*http.Request, error) {
	at, err := c.URL(r.Path, r.Query)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.Body != nil {
		data, err := json.Marshal(r.Body)
		if err != nil {
			return nil, Wrap(r.Op, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), at.String(), body)
	if err != nil {
		return nil, Wrap(r.Op, err)
	}
	req.Header.Set("Accept", cmp.Or(r.Accept, "application/json"))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// URL returns the address of the path at the API server. The server's own address may have a path too.
func (c *Client) URL(path string, query url.Values) (*url.URL, error) {
	base, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return nil, Wrap("reach account "+c.name, err)
	}
	u := *base
	u.Path = strings.TrimRight(base.Path, "/") + path
	u.RawQuery = query.Encode()
	return &u, nil
}

// Path returns the path of a resource in a group and version. "v1" is the core group; "" is no namespace.
func Path(groupVersion, namespace string, parts ...string) string {
	path := "/apis/" + groupVersion
	if groupVersion == "v1" {
		path = "/api/v1"
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path + "/" + strings.Join(parts, "/")
}

// failure reads the Status in which the API server explains a failure. Something else may have answered instead.
func failure(resp *http.Response, verb string) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxFailure))
	if err != nil {
		return err
	}
	if err := ParseStatus(data); err != nil {
		return err
	}
	message := strings.TrimSpace(string(data))
	return apierrors.NewGenericServerResponse(resp.StatusCode, verb, schema.GroupResource{}, "", message, 0, true)
}

// ParseStatus returns the failure that a Status object describes, nil if the data is something else.
func ParseStatus(data []byte) error {
	var s metav1.Status
	err := readStatus(data, &s)
	if err != nil || s.Kind != "Status" || s.APIVersion != "v1" || s.Code < http.StatusBadRequest {
		return nil
	}
	return &apierrors.StatusError{ErrStatus: s}
}

// readStatus reads a Status in either form.
func readStatus(data []byte, s *metav1.Status) error {
	kind, message, err := new(Envelope).Open(data)
	if err != nil {
		return json.Unmarshal(data, s)
	}
	if err := s.Unmarshal(message); err != nil {
		return err
	}
	s.Kind, s.APIVersion = kind, "v1"
	return nil
}

// HasStatus reports whether the API server answered with one of the HTTP statuses.
func HasStatus(err error, codes ...int32) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && slices.Contains(codes, s.ErrStatus.Code)
}

// IgnoreNotFound returns nil if the API server answered that there is no such object.
func IgnoreNotFound(err error) error {
	if HasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// LacksWebSocket reports whether a server or proxy answered that it does not support WebSocket, so that SPDY is next.
func LacksWebSocket(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}
