// Package readonly has a store that refuses everything. A view of a store embeds it and offers what may be read, so
// that what a store gains later is refused until the view offers it.
package readonly

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
)

// A Store refuses every call with its error.
type Store struct{ Refusal error }

// Append refuses.
func (s Store) Append(context.Context, sluice.DeploymentID, sluice.Seq, ...sluice.Event) error {
	return s.Refusal
}

// Read refuses.
func (s Store) Read(context.Context, sluice.DeploymentID, sluice.Seq) iter.Seq2[sluice.Event, error] {
	return refused[sluice.Event](s.Refusal)
}

// Deployments refuses.
func (s Store) Deployments(context.Context, string) ([]sluice.Deployment, error) {
	return nil, s.Refusal
}

// Unended refuses.
func (s Store) Unended(context.Context) ([]sluice.DeploymentID, error) { return nil, s.Refusal }

// PutCheckpoint refuses.
func (s Store) PutCheckpoint(context.Context, sluice.Checkpoint) error { return s.Refusal }

// Checkpoint refuses.
func (s Store) Checkpoint(context.Context, sluice.CheckpointID) (sluice.Checkpoint, error) {
	return sluice.Checkpoint{}, s.Refusal
}

// Checkpoints refuses.
func (s Store) Checkpoints(context.Context, string) ([]sluice.Checkpoint, error) {
	return nil, s.Refusal
}

// DeleteCheckpoint refuses.
func (s Store) DeleteCheckpoint(context.Context, sluice.CheckpointID) error { return s.Refusal }

// Lease refuses.
func (s Store) Lease(context.Context, sluice.DeploymentID) (sluice.Lease, error) {
	return nil, s.Refusal
}

// Leased refuses.
func (s Store) Leased(context.Context, sluice.DeploymentID) (bool, error) { return false, s.Refusal }

// Send refuses.
func (s Store) Send(context.Context, sluice.DeploymentID, sluice.Signal) (sluice.LetterID, error) {
	return 0, s.Refusal
}

// Letters refuses.
func (s Store) Letters(context.Context, sluice.DeploymentID) ([]sluice.Letter, error) {
	return nil, s.Refusal
}

// Arrivals refuses.
func (s Store) Arrivals(context.Context) iter.Seq2[sluice.DeploymentID, error] {
	return refused[sluice.DeploymentID](s.Refusal)
}

// Refuse refuses.
func (s Store) Refuse(context.Context, sluice.LetterID, sluice.Failure) error { return s.Refusal }

// Answer refuses.
func (s Store) Answer(context.Context, sluice.LetterID) (sluice.Answer, error) {
	return sluice.Answer{}, s.Refusal
}

// Newest refuses.
func (s Store) Newest(context.Context) (sluice.Cursor, error) { return 0, s.Refusal }

// Tail refuses.
func (s Store) Tail(context.Context, sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return refused[sluice.Entry](s.Refusal)
}

// PutToken refuses.
func (s Store) PutToken(context.Context, sluice.Token) error { return s.Refusal }

// Token refuses.
func (s Store) Token(context.Context, string) (sluice.Token, error) { return sluice.Token{}, s.Refusal }

// Tokens refuses.
func (s Store) Tokens(context.Context) ([]sluice.Token, error) { return nil, s.Refusal }

// DeleteToken refuses.
func (s Store) DeleteToken(context.Context, string) error { return s.Refusal }

// Record refuses.
func (s Store) Record(context.Context, sluice.AuditEntry) error { return s.Refusal }

// Entries refuses.
func (s Store) Entries(context.Context, string, int64, int) ([]sluice.AuditEntry, error) {
	return nil, s.Refusal
}

// CursorOf refuses.
func (s Store) CursorOf(context.Context, string) (sluice.Cursor, error) { return 0, s.Refusal }

// PutCursor refuses.
func (s Store) PutCursor(context.Context, string, sluice.Cursor) error { return s.Refusal }

// Close does nothing: the store belongs to somebody else.
func (Store) Close() error { return nil }

func refused[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
