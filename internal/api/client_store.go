package api

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluice-cd/sluice"
)

// A Reader reads a server as if it were a store. It holds no connection.
type Reader struct{ *Client }

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

// What would change the store goes through the methods of [Client].
var errReadOnly = sluice.Errorf(sluice.Unsupported, "a server is changed through its API only")

// These are Unsupported.
func (Reader) Append(context.Context, sluice.DeploymentID, sluice.Seq, ...sluice.Event) error {
	return errReadOnly
}
func (Reader) PutCheckpoint(context.Context, sluice.Checkpoint) error { return errReadOnly }
func (Reader) DeleteCheckpoint(context.Context, sluice.CheckpointID) error {
	return errReadOnly
}
func (Reader) Lease(context.Context, sluice.DeploymentID) (sluice.Lease, error) {
	return nil, errReadOnly
}
func (Reader) Leased(context.Context, sluice.DeploymentID) (bool, error) { return false, errReadOnly }
func (Reader) Send(context.Context, sluice.DeploymentID, sluice.Signal) (sluice.LetterID, error) {
	return 0, errReadOnly
}
func (Reader) Letters(context.Context, sluice.DeploymentID) ([]sluice.Letter, error) {
	return nil, errReadOnly
}
func (Reader) Arrivals(context.Context) iter.Seq2[sluice.DeploymentID, error] {
	return func(yield func(sluice.DeploymentID, error) bool) { yield("", errReadOnly) }
}
func (Reader) Refuse(context.Context, sluice.LetterID, sluice.Failure) error { return errReadOnly }
func (Reader) Answer(context.Context, sluice.LetterID) (sluice.Answer, error) {
	return sluice.Answer{}, errReadOnly
}
func (Reader) PutToken(context.Context, sluice.Token) error { return errReadOnly }
func (Reader) Token(context.Context, string) (sluice.Token, error) {
	return sluice.Token{}, errReadOnly
}
func (Reader) Tokens(context.Context) ([]sluice.Token, error)  { return nil, errReadOnly }
func (Reader) DeleteToken(context.Context, string) error       { return errReadOnly }
func (Reader) Record(context.Context, sluice.AuditEntry) error { return errReadOnly }
func (Reader) Entries(context.Context, string, int64, int) ([]sluice.AuditEntry, error) {
	return nil, errReadOnly
}

// Newest returns the cursor of the newest event.
func (r Reader) Newest(ctx context.Context) (sluice.Cursor, error) {
	var out Newest
	err := r.do(ctx, call{method: http.MethodGet, path: "/feed/newest"}, &out)
	return out.Cursor, err
}

// Close does nothing: the connections are the client's.
func (Reader) Close() error { return nil }
