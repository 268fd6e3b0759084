package watch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"time"

	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// watchAgain is how long a watch lasts at least before it is begun anew.
const watchAgain = time.Second

// An Event says that an object has this state, that it was deleted, or that there is no object.
type Event[T any] struct {
	Object  T
	Deleted bool
	None    bool
	Err     error // of the last event
}

// Events yields what the request lists, and then every change of it, until ctx ends. An error is the last event. It
// shares no connection with others, decodes only the fields of T, and is meant for short waits.
func Events[T any](ctx context.Context, c *client.Client, r client.Request) <-chan Event[T] {
	all := make(chan Event[T])
	send := func(e Event[T]) bool {
		select {
		case all <- e:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		for ctx.Err() == nil {
			again := time.After(watchAgain)
			if err := listAndWatch(ctx, c, r, send); err != nil {
				send(Event[T]{Err: err})
				return
			}
			select {
			case <-again:
			case <-ctx.Done():
			}
		}
	}()
	return all
}

// listAndWatch returns nil when the server ends the watch.
func listAndWatch[T any](ctx context.Context, c *client.Client, r client.Request, send func(Event[T]) bool) error {
	var list client.List[T]
	listing := r
	listing.Into = &list
	if err := c.Call(ctx, listing); err != nil {
		return err
	}
	for _, o := range list.Items {
		send(Event[T]{Object: o})
	}
	if len(list.Items) == 0 {
		send(Event[T]{None: true})
	}
	query := url.Values{"watch": {"true"}, "resourceVersion": {list.Metadata.ResourceVersion}}
	maps.Copy(query, r.Query)
	r.Query = query
	body, err := c.Stream(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close()
	return sendFrames(body, r.Op, send)
}

// sendFrames returns nil when the server ends the watch or has forgotten where it began. Then one lists anew.
func sendFrames[T any](body io.Reader, op string, send func(Event[T]) bool) error {
	for in := json.NewDecoder(body); ; {
		var f frame
		err := in.Decode(&f)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return client.Wrap(op, err)
		}
		if f.Type == "ERROR" {
			if err = frameError(f.Object); isExpired(err) {
				return nil
			}
			return client.Wrap(op, err)
		}
		e := Event[T]{Deleted: f.Type == "DELETED"}
		if err := json.Unmarshal(f.Object, &e.Object); err != nil {
			return client.Wrap(op, err)
		}
		if !send(e) {
			return nil
		}
	}
}
