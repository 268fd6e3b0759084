package sluice

import "context"

// A NotificationKind says what a notification is about: a subject, and what happened to it.
type NotificationKind string

// The kinds of notifications. Of an end there is one for each outcome, so that a receiver can choose.
const (
	NotifyQueued      NotificationKind = "deployment.queued"
	NotifyStarted     NotificationKind = "deployment.started"
	NotifyPaused      NotificationKind = "deployment.paused"
	NotifyContinued   NotificationKind = "deployment.continued"
	NotifyReopened    NotificationKind = "deployment.reopened"
	NotifySucceeded   NotificationKind = "deployment.succeeded"
	NotifyFailed      NotificationKind = "deployment.failed"
	NotifyRolledBack  NotificationKind = "deployment.rolledBack"
	NotifyCancelled   NotificationKind = "deployment.cancelled"
	NotifyOvertaken   NotificationKind = "deployment.overtaken"
	NotifyRollingBack NotificationKind = "target.rollingBack" // the first of its steps is being undone
	NotifyWaiting     NotificationKind = "step.waiting"       // for a person; once for each wait
	NotifyDecided     NotificationKind = "step.decided"       // a person approved, rejected or rolled forward
	NotifyStepFailed  NotificationKind = "step.failed"
	NotifyUndoFailed  NotificationKind = "step.undoFailed"
	NotifyLeftBehind  NotificationKind = "step.finishFailed"
)

// NotificationKinds lists all, in the order of documents.
var NotificationKinds = []NotificationKind{
	NotifyQueued, NotifyStarted, NotifyPaused, NotifyContinued, NotifyReopened, NotifySucceeded, NotifyFailed,
	NotifyRolledBack, NotifyCancelled, NotifyOvertaken, NotifyRollingBack, NotifyWaiting, NotifyDecided, NotifyStepFailed,
	NotifyUndoFailed, NotifyLeftBehind,
}

// DefaultNotifications are those that a receiver gets if it does not choose: what a person wants to know or has to do.
var DefaultNotifications = []NotificationKind{
	NotifyStarted, NotifySucceeded, NotifyFailed, NotifyRolledBack, NotifyCancelled, NotifyRollingBack, NotifyWaiting,
	NotifyStepFailed, NotifyUndoFailed, NotifyLeftBehind,
}

// Readers keeps how far each reader of the feed has come, so that another process goes on where one was killed. A
// reader is a name. Which process reads for it is decided by a lease, with the id of [ReaderLease].
type Readers interface {
	// CursorOf returns the cursor that was put last, or NotFound if none was ever put: then the reader begins where it
	// wants to, and puts that before it reads.
	CursorOf(ctx context.Context, name string) (Cursor, error)
	// PutCursor says that the reader is done with all entries up to the cursor. A lower cursor than that of before
	// changes nothing, so a process that was stopped for long never sets it back. Once it has returned nil, the cursor
	// survives kill -9 and power loss. A reader without a name is Invalid. It looks at ctx before it begins, not later.
	PutCursor(ctx context.Context, name string, c Cursor) error
}

// ReaderLease is the id under which a process leases the right to read for the reader. No deployment has it, because it
// has a colon.
func ReaderLease(name string) DeploymentID { return DeploymentID("reader:" + name) }
