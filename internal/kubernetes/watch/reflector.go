package watch

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// A store takes what a reflector learns, from one goroutine at a time.
type store[T any] interface {
	replace(items []T, version string) // all objects as of the version
	set(item T)
	drop(item T)
}

// A reflector keeps a store up to date with one kind in one namespace: it lists, then watches from there. It lists
// again if the API server has forgotten the changes since, and if the connection broke: a new one does not say when it
// has told what was missed, and until then everybody would have to read singly. Of each object it decodes the fields of
// T.
type reflector[T any] struct {
	client   *client.Client
	op       string // for messages
	path     string
	query    url.Values
	form     *client.Form[T] // nil: JSON alone
	version  func(*T) string // at which an object is
	store    store[T]
	position *position // of the store

	known  string // the version up to which the store knows everything; "": it knows nothing
	synced bool
}

const (
	retryFirst = 50 * time.Millisecond
	retryLast  = time.Second // after which the API server counts as away
	// watchTime bounds one connection, as API servers do themselves. One that ends then has told everything.
	watchTime = 9 * time.Minute
	// brief bounds a connection that ended too early. The next attempt waits.
	brief = time.Second
)

// run returns when ctx ends or the API server is away. It tries for a short while to replace a connection that broke
// after it had worked.
func (f *reflector[T]) run(ctx context.Context) error {
	delay := retryFirst
	for {
		began := time.Now()
		err := f.step(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		lasts := time.Since(began)
		if !isExpired(err) && (!f.synced || sluice.ErrorCode(err) != sluice.Unavailable || delay > retryLast) {
			return err
		}
		if isExpired(err) || lasts < watchTime {
			f.known = ""
		}
		if lasts > brief {
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

// step lists if nothing is known, and watches for as long as the connection lasts. It always returns an error.
func (f *reflector[T]) step(ctx context.Context) error {
	if f.known == "" {
		if err := f.list(ctx); err != nil {
			return err
		}
	}
	return f.watch(ctx)
}

func (f *reflector[T]) list(ctx context.Context) error {
	expired := f.position.begin()
	items, version, err := f.read(ctx)
	if err != nil {
		return err
	}
	f.store.replace(items, version)
	f.position.renew(expired)
	f.position.reach(version)
	f.known, f.synced = version, true
	return nil
}

// read returns all objects, and the version as of which they are.
func (f *reflector[T]) read(ctx context.Context) (items []T, version string, err error) {
	ask := client.Request{Op: f.op, Path: f.path, Query: f.query}
	err = client.PagesAs(ctx, f.client, ask, f.form, func(page *client.List[T]) {
		items, version = append(items, page.Items...), page.Metadata.ResourceVersion
	})
	return items, version, err
}

func (f *reflector[T]) watch(ctx context.Context) error {
	q := url.Values{
		"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {f.known},
		"timeoutSeconds": {strconv.Itoa(int(watchTime / time.Second))},
	}
	maps.Copy(q, f.query)
	defer f.position.lose()
	ask := client.Request{Op: f.op, Path: f.path, Query: q}
	if f.form != nil {
		ask.Accept = client.AcceptProtobuf
	}
	resp, err := f.client.Send(ctx, ask)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	next := framesOf(resp, f.form)
	for {
		what, item, err := next()
		if err != nil {
			return client.Wrap(f.op, err)
		}
		f.event(what, item)
	}
}

func (f *reflector[T]) event(what string, item T) {
	f.known = f.version(&item)
	switch what {
	case "BOOKMARK":
		f.position.reach(f.known)
		return
	case "DELETED":
		f.store.drop(item)
	default:
		f.store.set(item)
	}
	f.position.advance(f.known)
}

// frameError returns the failure in an ERROR frame.
func frameError(object []byte) error {
	if err := client.ParseStatus(object); err != nil {
		return err
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{Message: string(object)}}
}

// isExpired reports whether the API server has forgotten the version from which to continue.
func isExpired(err error) bool { return client.HasStatus(err, http.StatusGone) }
