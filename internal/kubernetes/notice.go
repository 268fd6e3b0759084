package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watchAgain is how soon a watch that ended at once is begun anew.
const watchAgain = time.Second

// A notice says that an object is as it is, that it was deleted, or that there is none.
type notice[T any] struct {
	object  T
	deleted bool
	none    bool
	err     error // the last notice
}

// notices tells what the request lists, and then every change of it, until ctx ends. An error is told and ends
// the notices.
func notices[T any](ctx context.Context, a *Account, r request) <-chan notice[T] {
	all := make(chan notice[T])
	tell := func(n notice[T]) bool {
		select {
		case all <- n:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		for ctx.Err() == nil {
			began := time.Now()
			if err := listAndWatch(ctx, a, r, tell); err != nil {
				tell(notice[T]{err: err})
				return
			}
			if time.Since(began) < watchAgain {
				pauseFor(ctx, watchAgain)
			}
		}
	}()
	return all
}

// listAndWatch lists and watches until the server ends the watch.
func listAndWatch[T any](ctx context.Context, a *Account, r request, tell func(notice[T]) bool) error {
	var list struct {
		Metadata metav1.ListMeta `json:"metadata"`
		Items    []T             `json:"items"`
	}
	listing := r
	listing.into = &list
	if err := a.call(ctx, listing); err != nil {
		return err
	}
	for _, o := range list.Items {
		tell(notice[T]{object: o})
	}
	if len(list.Items) == 0 {
		tell(notice[T]{none: true})
	}
	r.query = cloneValues(r.query)
	r.query.Set("watch", "true")
	r.query.Set("resourceVersion", list.Metadata.ResourceVersion)
	body, err := a.open(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close()
	return follow(body, r.op, tell)
}

// follow tells every change until the server ends the watch or has forgotten where it began.
func follow[T any](body io.Reader, op string, tell func(notice[T]) bool) error {
	for in := json.NewDecoder(body); ; {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := in.Decode(&event); err != nil {
			return ignoreEnd(op, err)
		}
		if event.Type == "ERROR" {
			return watchError(op, event.Object)
		}
		n := notice[T]{deleted: event.Type == "DELETED"}
		if err := json.Unmarshal(event.Object, &n.object); err != nil {
			return mapError(op, err)
		}
		if !tell(n) {
			return nil
		}
	}
}

func ignoreEnd(op string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return mapError(op, err)
}

// watchError returns what the server says, but for that it is too late to watch from there: then one lists anew.
func watchError(op string, object json.RawMessage) error {
	s, ok := statusOf(object)
	if ok && s.Code == http.StatusGone {
		return nil
	}
	return mapError(op, asError(s))
}

func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
