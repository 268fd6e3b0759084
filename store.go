package sluice

import (
	"context"
	"iter"
)

// A Store keeps everything that outlives a process. Several processes may use one store at the same time.
type Store interface {
	Log
	Catalogue
	Leases
	Inbox
	Tail
	Tokens
	Audit
	Readers
	// Close ends the leases of this Store. Closing twice does nothing.
	Close() error
}

// A Log is the durable history of deployments. Once Append has returned nil, its events survive kill -9 and power loss.
type Log interface {
	// Append adds events after the event with the number after, and numbers them. If other events came first, it
	// appends nothing and returns a Conflict. The first event of a deployment is DeploymentStarted or DeploymentQueued,
	// with the plan. DeploymentStarted is a Conflict while another deployment of the same application runs or, as the
	// first event, is queued. So one deployment of an application runs and one is queued, at most: DeploymentQueued ends
	// the one that was queued before as overtaken, in the same transaction. After DeploymentEnded nothing can be added
	// but DeploymentReopened, as the first of events; that is a Conflict while the deployment has not ended, or another
	// one of its application runs or is queued. An event that names a letter settles the letter in the same
	// transaction; it is a Conflict if the letter is not of this deployment or was settled before, so no signal is ever
	// applied twice. A full disk is Exhausted, and nothing
	// was appended. Append looks at ctx before it begins, not later.
	Append(ctx context.Context, id DeploymentID, after Seq, events ...Event) error
	// Read yields the events of the deployment in order, beginning after the event with the number after. An unknown
	// deployment is NotFound.
	Read(ctx context.Context, id DeploymentID, after Seq) iter.Seq2[Event, error]
	// Deployments lists the deployments of the application, or all if it is "", newest first.
	Deployments(ctx context.Context, application string) ([]Deployment, error)
	// Unended lists the deployments that have not ended, oldest first.
	Unended(ctx context.Context) ([]DeploymentID, error)
}

// A Catalogue lists the checkpoints that exist.
type Catalogue interface {
	// PutCheckpoint adds a checkpoint, or replaces the one with the same id.
	PutCheckpoint(ctx context.Context, c Checkpoint) error
	// Checkpoint returns one, or NotFound.
	Checkpoint(ctx context.Context, id CheckpointID) (Checkpoint, error)
	// Checkpoints lists the checkpoints of an application, "" for all, newest first.
	Checkpoints(ctx context.Context, application string) ([]Checkpoint, error)
	// DeleteCheckpoint removes one. Removing an absent one succeeds.
	DeleteCheckpoint(ctx context.Context, id CheckpointID) error
}

// Leases says which process may run a deployment, or read for a reader: see [ReaderLease].
type Leases interface {
	// Lease takes the right to run a deployment, which need not exist yet. It never waits: it is a Conflict while
	// anybody holds the lease, also in this process. The lease ends by itself when its process is killed; a server of
	// another machine may notice that up to 10 seconds later. What that process had under way is appended before
	// another one gets the lease, or never.
	Lease(ctx context.Context, id DeploymentID) (Lease, error)
	// Leased reports whether anybody holds the lease. It MUST NOT make a Lease fail that is tried at the same time.
	Leased(ctx context.Context, id DeploymentID) (bool, error)
}

// A Lease is the right to run one deployment.
type Lease interface {
	// Lost is closed when the lease ended without Release, for example because the connection broke that held it. Other
	// processes may run the deployment from then on. A store that cannot lose leases closes it when the store closes.
	Lost() <-chan struct{}
	// Release ends the lease. To release it twice, or after it was lost, does nothing.
	Release() error
}

// A LetterID numbers the letters of a store, in the order in which they were sent, from 1.
type LetterID int64

// A Letter is a signal on its way to a deployment.
type Letter struct {
	ID     LetterID
	Signal Signal
}

// An Answer says what happened to a letter.
type Answer struct {
	Settled bool     // false: the signal was neither applied nor refused yet
	Refusal *Failure // nil: the signal was applied
}

// An Inbox carries signals from any process to the process that runs a deployment. A letter is settled once: by
// the event that records its signal (see [Log]), or by Refuse. Until then it survives every crash.
type Inbox interface {
	// Send keeps a signal durably for a deployment that has not ended; an ended one is a Conflict, an unknown one
	// NotFound. Send looks at ctx before it begins, not later.
	Send(ctx context.Context, id DeploymentID, sig Signal) (LetterID, error)
	// Letters lists the letters of the deployment that are not settled, in the order in which they were sent. An unknown
	// deployment has none.
	Letters(ctx context.Context, id DeploymentID) ([]Letter, error)
	// Arrivals yields the deployments of the letters that are not settled, then those of letters that any process
	// sends later, perhaps more than once. It ends without an error when ctx does.
	Arrivals(ctx context.Context) iter.Seq2[DeploymentID, error]
	// Refuse settles a letter and keeps the reason for the sender. A letter that was settled before stays as it was; an
	// unknown one is NotFound.
	Refuse(ctx context.Context, id LetterID, reason Failure) error
	// Answer returns what happened to a letter. It waits until the letter is settled or ctx ends, and looks at least once;
	// the end of ctx is not an error. An unknown letter is NotFound.
	Answer(ctx context.Context, id LetterID) (Answer, error)
}

// A Cursor is a position in the feed of all events. It stays valid when the store is opened again.
type Cursor int64

// An Entry is an event in the feed.
type Entry struct {
	Cursor     Cursor
	Deployment DeploymentID
	Event      Event
}

// A Tail is the feed of the events of all deployments, in the order in which they were committed. An event MUST NOT
// become visible after one with a higher cursor. SQLite has one writer, so its order of writing is that order. In a
// store whose transactions commit out of order, such as PostgreSQL, either Append takes a lock before it draws cursors,
// or Tail holds entries back until no older transaction is open.
type Tail interface {
	// Newest returns the cursor of the newest event, 0 if there is none.
	Newest(ctx context.Context) (Cursor, error)
	// Tail yields all entries after the cursor, then those that any process appends later. Nothing is left out or
	// repeated. It ends without an error when ctx does.
	Tail(ctx context.Context, after Cursor) iter.Seq2[Entry, error]
}
