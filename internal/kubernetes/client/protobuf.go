package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
)

// protobuf is the form of built-in kinds that costs the API server and its clients the least.
const protobuf = "application/vnd.kubernetes.protobuf"

// AcceptProtobuf asks for that form. Who does not have it answers with JSON.
const AcceptProtobuf = protobuf + ", application/json"

// envelope is how an object in that form begins. The rest is a runtime.Unknown.
var envelope = []byte("k8s\x00")

// A Form reads objects of a built-in kind that come as protobuf. Fields that T lacks are dropped.
type Form[T any] struct {
	Item func(message []byte) (T, error)
	List func(message []byte) (*List[T], error)
}

// NewForm returns the form of T, which read makes of the type M that the API has for it. Its list is read by list.
func NewForm[T, M any, P interface {
	*M
	Unmarshal([]byte) error
}](read func(*M) T, list func(message []byte) ([]M, metav1.ListMeta, error)) *Form[T] {
	return &Form[T]{
		Item: func(message []byte) (T, error) {
			var m M
			err := P(&m).Unmarshal(message)
			return read(&m), err
		},
		List: func(message []byte) (*List[T], error) {
			all, meta, err := list(message)
			page := &List[T]{Metadata: meta, Items: make([]T, len(all))}
			for i := range all {
				page.Items[i] = read(&all[i])
			}
			return page, err
		},
	}
}

// IsProtobuf reports whether the answer has that form.
func IsProtobuf(r *http.Response) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), protobuf)
}

// An Envelope opens what came as protobuf, one object after the other in the same memory. The zero value is ready to
// use.
type Envelope struct{ last runtime.Unknown }

// Open returns the kind of the object and its message, which is valid until the next call.
func (e *Envelope) Open(data []byte) (kind string, message []byte, err error) {
	rest, ok := bytes.CutPrefix(data, envelope)
	if !ok {
		return "", nil, errors.New("the answer is not the protobuf that it says")
	}
	e.last = runtime.Unknown{Raw: e.last.Raw[:0]}
	err = e.last.Unmarshal(rest)
	return e.last.Kind, e.last.Raw, err
}

// readPage reads one page of a list. Form is nil if it must be JSON.
func readPage[T any](resp *http.Response, form *Form[T]) (*List[T], error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if form != nil && IsProtobuf(resp) {
		_, message, err := new(Envelope).Open(data)
		if err != nil {
			return nil, err
		}
		return form.List(message)
	}
	page := &List[T]{}
	return page, kjson.UnmarshalCaseSensitivePreserveInts(data, page)
}
