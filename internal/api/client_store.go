package api

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/readonly"
)

// A Reader reads a server as if it were a store. What would change the store is Unsupported: it goes through the methods
// of [Client].
type Reader struct {
	readonly.Store
	*Client
}

// Reader returns the server as a store.
func (c *Client) Reader() Reader {
	refusal := sluice.Errorf(sluice.Unsupported, "a server is changed through its API only")
	return Reader{readonly.Store{Refusal: refusal}, c}
}

var _ sluice.Store = Reader{}

// Read is that of [sluice.Log].
func (r Reader) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		for {
			var page Events
			query := url.Values{"after": {strconv.FormatInt(int64(after), 10)}}
			err := r.do(ctx, call{method: http.MethodGet, path: deploymentPath(id, "/events"), query: query}, &page)
			if err != nil {
				yield(sluice.Event{}, err)
				return
			}
			for _, e := range page.Items {
				if !yield(e, nil) {
					return
				}
			}
			if after = page.Next; after == 0 {
				return
			}
		}
	}
}

// Deployments is that of [sluice.Log].
func (r Reader) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	return r.list(ctx, url.Values{"application": {application}})
}

// Unended is that of [sluice.Log].
func (r Reader) Unended(ctx context.Context) ([]sluice.DeploymentID, error) {
	list, err := r.list(ctx, url.Values{"unended": {"true"}})
	var ids []sluice.DeploymentID
	for i := range list {
		ids = append(ids, list[len(list)-1-i].ID) // the oldest first
	}
	return ids, err
}

func (r Reader) list(ctx context.Context, query url.Values) (all []sluice.Deployment, err error) {
	for query.Set("limit", "1000"); ; {
		var page Page
		if err := r.do(ctx, call{method: http.MethodGet, path: "/deployments", query: query}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", string(page.Next))
	}
}

// Checkpoint is that of [sluice.Catalogue].
func (r Reader) Checkpoint(ctx context.Context, id sluice.CheckpointID) (out sluice.Checkpoint, err error) {
	err = r.do(ctx, call{method: http.MethodGet, path: checkpointPath(string(id), "")}, &out)
	return out, err
}

// Checkpoints is that of [sluice.Catalogue].
func (r Reader) Checkpoints(ctx context.Context, application string) ([]sluice.Checkpoint, error) {
	var out Checkpoints
	query := url.Values{"application": {application}}
	err := r.do(ctx, call{method: http.MethodGet, path: "/checkpoints", query: query}, &out)
	return out.Items, err
}

// Newest returns the cursor of the newest event.
func (r Reader) Newest(ctx context.Context) (sluice.Cursor, error) {
	var out Newest
	err := r.do(ctx, call{method: http.MethodGet, path: "/feed/newest"}, &out)
	return out.Cursor, err
}

// Tail is that of [sluice.Tail].
func (r Reader) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return r.Client.Tail(ctx, after)
}

// DeleteCheckpoint is that of the client.
func (r Reader) DeleteCheckpoint(ctx context.Context, id sluice.CheckpointID) error {
	return r.Client.DeleteCheckpoint(ctx, id)
}

// Close does nothing: the connections are the client's.
func (Reader) Close() error { return nil }
