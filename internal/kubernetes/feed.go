package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
)

// A sink is told what a feed learns, by one goroutine at a time.
type sink[T any] interface {
	// replace hands over everything there is, as of the version.
	replace(items []T, version string)
	set(item T)
	drop(item T)
}

// A feed follows one kind in one namespace: a list, then a watch from there on, and again whenever the API server
// has forgotten what came since. Of each object it decodes what T has.
type feed[T any] struct {
	account *Account
	op      string // for messages
	path    string
	query   url.Values
	sink    sink[T]

	version string // up to which the sink knows everything; "": it knows nothing
	synced  bool
}

const (
	retryFirst = 50 * time.Millisecond
	retryLast  = time.Second // then the API server counts as away
	// watchSeconds bounds one connection, as API servers do themselves.
	watchSeconds = 9 * 60
	// brief is how long a connection lasts at least that is ended for a good reason.
	brief = time.Second
)

// run follows until ctx ends or the API server is away. A connection that breaks after it worked is tried again
// for a short while.
func (f *feed[T]) run(ctx context.Context) error {
	delay := retryFirst
	for {
		began := time.Now()
		err := f.step(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case isExpired(err):
			f.version = ""
		case err != nil && (!f.synced || sluice.ErrorCode(err) != sluice.Unavailable || delay > retryLast):
			return err
		}
		if time.Since(began) > brief || err == nil && f.version == "" {
			delay = retryFirst
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay):
			delay *= 2
		}
	}
}

// step lists where nothing is known, and watches for as long as the connection lasts.
func (f *feed[T]) step(ctx context.Context) error {
	if f.version == "" {
		if err := f.list(ctx); err != nil {
			return err
		}
	}
	return f.watch(ctx)
}

type feedPage[T any] struct {
	Metadata metav1.ListMeta `json:"metadata"`
	Items    []T             `json:"items"`
}

func (f *feed[T]) list(ctx context.Context) error {
	var items []T
	q := cloneValues(f.query)
	q.Set("limit", strconv.Itoa(pageSize))
	for {
		var page feedPage[T]
		body, err := f.account.open(ctx, request{op: f.op, path: f.path, query: q})
		if err != nil {
			return err
		}
		err = decodeObject(body, &page)
		if err = errors.Join(err, body.Close()); err != nil {
			return told(f.op, err)
		}
		items = append(items, page.Items...)
		if page.Metadata.Continue == "" {
			f.sink.replace(items, page.Metadata.ResourceVersion)
			f.version, f.synced = page.Metadata.ResourceVersion, true
			return nil
		}
		q.Set("continue", page.Metadata.Continue)
	}
}

type watchEvent struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

func (f *feed[T]) watch(ctx context.Context) error {
	q := cloneValues(f.query)
	q.Set("watch", "1")
	q.Set("allowWatchBookmarks", "true")
	q.Set("resourceVersion", f.version)
	q.Set("timeoutSeconds", strconv.Itoa(watchSeconds))
	body, err := f.account.open(ctx, request{op: f.op, path: f.path, query: q})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	lines := json.NewDecoder(body)
	for {
		var e watchEvent
		if err := lines.Decode(&e); err != nil {
			return told(f.op, err)
		}
		if err := f.event(e); err != nil {
			return told(f.op, err)
		}
	}
}

func (f *feed[T]) event(e watchEvent) error {
	if e.Type == "ERROR" {
		var s metav1.Status
		if err := json.Unmarshal(e.Object, &s); err != nil {
			return err
		}
		return asError(s)
	}
	var o struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(e.Object, &o); err != nil {
		return err
	}
	if e.Type != "BOOKMARK" {
		var item T
		if err := kjson.UnmarshalCaseSensitivePreserveInts(e.Object, &item); err != nil {
			return err
		}
		if e.Type == "DELETED" {
			f.sink.drop(item)
		} else {
			f.sink.set(item)
		}
	}
	f.version = o.Metadata.ResourceVersion
	return nil
}

// isExpired reports whether the API server has forgotten the version to go on from.
func isExpired(err error) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && s.Status().Code == http.StatusGone
}

// decodeObject reads one JSON document; integers stay integers.
func decodeObject(r io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	if err != nil {
		return err
	}
	return kjson.UnmarshalCaseSensitivePreserveInts(data, into)
}
