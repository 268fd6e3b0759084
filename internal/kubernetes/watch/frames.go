package watch

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// maxFrame bounds a frame of a watch. API servers keep objects far smaller.
const maxFrame = 64 << 20

// A frame is one line of a watch in JSON.
type frame struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// framesOf returns what reads one frame after the other: what happened, and to which object. An ERROR frame is an
// error. Form is nil if the frames must be JSON.
func framesOf[T any](resp *http.Response, form *client.Form[T]) func() (what string, item T, err error) {
	if form != nil && client.IsProtobuf(resp) {
		return protobufFrames(resp.Body, form)
	}
	in := json.NewDecoder(resp.Body)
	return func() (what string, item T, err error) {
		var e frame
		if err := in.Decode(&e); err != nil {
			return "", item, err
		}
		if e.Type == "ERROR" {
			return "", item, frameError(e.Object)
		}
		return e.Type, item, kjson.UnmarshalCaseSensitivePreserveInts(e.Object, &item)
	}
}

// protobufFrames reads frames that begin with their length, in four bytes.
func protobufFrames[T any](body io.Reader, form *client.Form[T]) func() (what string, item T, err error) {
	in := bufio.NewReader(body)
	var buffer []byte
	var e metav1.WatchEvent
	var envelope client.Envelope
	return func() (what string, item T, err error) {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return "", item, err
		}
		n := int(binary.BigEndian.Uint32(size[:]))
		if n > maxFrame {
			return "", item, errors.New("the watch sends a frame that is too large")
		}
		if cap(buffer) < n {
			buffer = make([]byte, n)
		}
		if _, err := io.ReadFull(in, buffer[:n]); err != nil {
			return "", item, err
		}
		e = metav1.WatchEvent{Object: runtime.RawExtension{Raw: e.Object.Raw[:0]}} // the memory is used again
		if err := e.Unmarshal(buffer[:n]); err != nil {
			return "", item, err
		}
		if e.Type == "ERROR" {
			return "", item, frameError(e.Object.Raw)
		}
		_, message, err := envelope.Open(e.Object.Raw)
		if err == nil {
			item, err = form.Item(message)
		}
		return e.Type, item, err
	}
}
