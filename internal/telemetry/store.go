package telemetry

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
)

// Store returns the store, and counts its calls that do not work. appended, unless it is nil, is told what this process
// has appended, after that is durable.
func (m *Metrics) Store(s sluice.Store, appended func(id sluice.DeploymentID, events []sluice.Event)) sluice.Store {
	return observed{s, m, appended}
}

// observed is a store whose calls are counted if they do not work.
type observed struct {
	sluice.Store
	metrics  *Metrics
	appended func(sluice.DeploymentID, []sluice.Event)
}

// isTrouble reports whether the store does not work. Others are answers, such as Conflict.
var isTrouble = map[sluice.Code]bool{sluice.Unavailable: true, sluice.Exhausted: true, sluice.Internal: true}

// note counts the error and returns it.
func (o observed) note(ctx context.Context, operation string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if code := sluice.ErrorCode(err); isTrouble[code] {
		o.metrics.storeErrors.WithLabelValues(operation, string(code)).Inc()
	}
	return err
}

// noted counts the errors of a sequence.
func noted[V any](o observed, ctx context.Context, operation string, all iter.Seq2[V, error]) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		for v, err := range all {
			if !yield(v, o.note(ctx, operation, err)) {
				return
			}
		}
	}
}

// Append tells what was appended.
func (o observed) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	err := o.note(ctx, "append", o.Store.Append(ctx, id, after, events...))
	if err == nil && o.appended != nil {
		o.appended(id, events)
	}
	return err
}

// Read counts errors.
func (o observed) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return noted(o, ctx, "read", o.Store.Read(ctx, id, after))
}

// Deployments counts errors.
func (o observed) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	list, err := o.Store.Deployments(ctx, application)
	return list, o.note(ctx, "deployments", err)
}

// Unended counts errors.
func (o observed) Unended(ctx context.Context) ([]sluice.DeploymentID, error) {
	list, err := o.Store.Unended(ctx)
	return list, o.note(ctx, "unended", err)
}

// PutCheckpoint counts errors.
func (o observed) PutCheckpoint(ctx context.Context, c sluice.Checkpoint) error {
	return o.note(ctx, "putCheckpoint", o.Store.PutCheckpoint(ctx, c))
}

// Checkpoint counts errors.
func (o observed) Checkpoint(ctx context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	c, err := o.Store.Checkpoint(ctx, id)
	return c, o.note(ctx, "checkpoint", err)
}

// Checkpoints counts errors.
func (o observed) Checkpoints(ctx context.Context, application string) ([]sluice.Checkpoint, error) {
	list, err := o.Store.Checkpoints(ctx, application)
	return list, o.note(ctx, "checkpoints", err)
}

// DeleteCheckpoint counts errors.
func (o observed) DeleteCheckpoint(ctx context.Context, id sluice.CheckpointID) error {
	return o.note(ctx, "deleteCheckpoint", o.Store.DeleteCheckpoint(ctx, id))
}

// Lease counts errors.
func (o observed) Lease(ctx context.Context, id sluice.DeploymentID) (sluice.Lease, error) {
	l, err := o.Store.Lease(ctx, id)
	return l, o.note(ctx, "lease", err)
}

// Leased counts errors.
func (o observed) Leased(ctx context.Context, id sluice.DeploymentID) (bool, error) {
	held, err := o.Store.Leased(ctx, id)
	return held, o.note(ctx, "leased", err)
}

// Send counts errors.
func (o observed) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	letter, err := o.Store.Send(ctx, id, sig)
	return letter, o.note(ctx, "send", err)
}

// Letters counts errors.
func (o observed) Letters(ctx context.Context, id sluice.DeploymentID) ([]sluice.Letter, error) {
	list, err := o.Store.Letters(ctx, id)
	return list, o.note(ctx, "letters", err)
}

// Arrivals counts errors.
func (o observed) Arrivals(ctx context.Context) iter.Seq2[sluice.DeploymentID, error] {
	return noted(o, ctx, "arrivals", o.Store.Arrivals(ctx))
}

// Refuse counts errors.
func (o observed) Refuse(ctx context.Context, id sluice.LetterID, reason sluice.Failure) error {
	return o.note(ctx, "refuse", o.Store.Refuse(ctx, id, reason))
}

// Answer counts errors.
func (o observed) Answer(ctx context.Context, id sluice.LetterID) (sluice.Answer, error) {
	a, err := o.Store.Answer(ctx, id)
	return a, o.note(ctx, "answer", err)
}

// Newest counts errors.
func (o observed) Newest(ctx context.Context) (sluice.Cursor, error) {
	c, err := o.Store.Newest(ctx)
	return c, o.note(ctx, "newest", err)
}

// Tail counts errors.
func (o observed) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return noted(o, ctx, "tail", o.Store.Tail(ctx, after))
}

// PutToken counts errors.
func (o observed) PutToken(ctx context.Context, t sluice.Token) error {
	return o.note(ctx, "putToken", o.Store.PutToken(ctx, t))
}

// Token counts errors.
func (o observed) Token(ctx context.Context, id string) (sluice.Token, error) {
	t, err := o.Store.Token(ctx, id)
	return t, o.note(ctx, "token", err)
}

// Tokens counts errors.
func (o observed) Tokens(ctx context.Context) ([]sluice.Token, error) {
	list, err := o.Store.Tokens(ctx)
	return list, o.note(ctx, "tokens", err)
}

// DeleteToken counts errors.
func (o observed) DeleteToken(ctx context.Context, id string) error {
	return o.note(ctx, "deleteToken", o.Store.DeleteToken(ctx, id))
}

// Record counts errors.
func (o observed) Record(ctx context.Context, e sluice.AuditEntry) error {
	return o.note(ctx, "record", o.Store.Record(ctx, e))
}

// Entries counts errors.
func (o observed) Entries(
	ctx context.Context, application string, before int64, most int,
) ([]sluice.AuditEntry, error) {
	list, err := o.Store.Entries(ctx, application, before, most)
	return list, o.note(ctx, "entries", err)
}

// CursorOf counts errors.
func (o observed) CursorOf(ctx context.Context, name string) (sluice.Cursor, error) {
	c, err := o.Store.CursorOf(ctx, name)
	return c, o.note(ctx, "cursorOf", err)
}

// PutCursor counts errors.
func (o observed) PutCursor(ctx context.Context, name string, c sluice.Cursor) error {
	return o.note(ctx, "putCursor", o.Store.PutCursor(ctx, name, c))
}
