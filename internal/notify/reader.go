package notify

import (
	"context"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
)

// How long a reader waits.
const (
	leaseAgain = 3 * time.Second  // between two looks whether another process still reads
	patience   = 20 * time.Second // for the answer of a receiver
	farewell   = 5 * time.Second  // for an answer that is under way when the process stops
)

// unstored is after how many events that are not told the cursor is put all the same.
const unstored = 500

// A Sender sends to one receiver. Errors hold no secrets.
type Sender interface {
	// Send returns once the receiver has taken the notification, or says why it has not.
	Send(ctx context.Context, n Notification) error
	// Check finds what a Send would certainly lack, such as a secret. It sends nothing.
	Check() error
}

// A Feed is the events that receivers are told about.
type Feed interface {
	sluice.Tail
	Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error]
}

// A Place is where readers keep how far they have come.
type Place interface {
	sluice.Readers
	sluice.Leases
}

// A Tally counts what happens to notifications, by kind of receiver.
type Tally interface {
	Sent(kind string)
	Failed(kind string, code sluice.Code) // one attempt
	Skipped(kind string)                  // the receiver refused it for good
}

// A Reader sends what happens to one receiver, in order, and waits for it while it is away. Only one process reads for
// a receiver at a time.
type Reader struct {
	To      config.Receiver
	Sender  Sender
	Feed    Feed // without what a receiver must not see
	Place   Place
	Address string              // of the server, for links
	Redact  func(string) string // removes secrets from texts
	Tally   Tally
	Logger  *slog.Logger
	// Wait waits, and returns false if ctx ends before.
	Wait func(ctx context.Context, d time.Duration) bool

	cursor   atomic.Int64    // of the last entry that it is done with
	reads    atomic.Bool     // this process reads for the receiver
	refusing bool            // the receiver refused the notification before this one
	said     string          // the trouble that was logged last
	lost     <-chan struct{} // of the lease
}

// name is that of the reader in the store.
func (r *Reader) name() string { return "notifications/" + r.To.Name }

// Position returns the cursor of the last entry that the reader is done with, and false while another process reads.
func (r *Reader) Position() (sluice.Cursor, bool) {
	return sluice.Cursor(r.cursor.Load()), r.reads.Load()
}

// Run sends until ctx ends. A notification under way then has a few seconds to be taken.
func (r *Reader) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.lease(ctx); err != nil && ctx.Err() == nil {
			r.complain("notifications cannot be read from the store now; it is tried again", err)
		}
		r.Wait(ctx, leaseAgain)
	}
}

// lease reads while no other process does.
func (r *Reader) lease(ctx context.Context) error {
	l, err := r.Place.Lease(ctx, sluice.ReaderLease(r.name()))
	if sluice.ErrorCode(err) == sluice.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.Lost():
			cancel()
		case <-ctx.Done():
		}
	}()
	r.lost = l.Lost()
	err = r.read(ctx)
	r.reads.Store(false)
	if released := l.Release(); err == nil {
		err = released
	}
	return err
}

// Begin returns where the reader is. A new one begins with what happens after the first Begin, which is recorded.
func (r *Reader) Begin(ctx context.Context) (sluice.Cursor, error) {
	c, err := r.Place.CursorOf(ctx, r.name())
	if sluice.ErrorCode(err) == sluice.NotFound {
		if c, err = r.Feed.Newest(ctx); err == nil {
			err = r.Place.PutCursor(ctx, r.name(), c)
		}
	}
	return c, err
}

// read sends until ctx ends or the store cannot be read.
func (r *Reader) read(ctx context.Context) error {
	put, err := r.Begin(ctx)
	if err != nil {
		return err
	}
	r.cursor.Store(int64(put))
	r.reads.Store(true)
	t := &teller{
		speaker: speaker{address: r.Address, redact: r.Redact}, log: r.Feed, to: r.To,
		runs: map[sluice.DeploymentID]*engine.State{},
	}
	for entry, err := range r.Feed.Tail(ctx, put) {
		var n *Notification
		if err == nil {
			n, err = t.tell(ctx, entry)
		}
		if err != nil {
			return err
		}
		if n != nil && !r.deliver(ctx, *n) {
			return nil
		}
		r.cursor.Store(int64(entry.Cursor))
		if n == nil && entry.Cursor-put < unstored {
			continue
		}
		if !r.put(ctx, entry.Cursor) {
			return nil
		}
		put = entry.Cursor
	}
	r.put(ctx, sluice.Cursor(r.cursor.Load()))
	return nil
}

// put records the cursor. It tries until it has, because a notification that was taken must not be sent again and again
// while the store cannot be written. It returns false if ctx ended; then it has tried once.
func (r *Reader) put(ctx context.Context, c sluice.Cursor) bool {
	for {
		bounded, cancel := parting(ctx)
		err := r.Place.PutCursor(bounded, r.name(), c)
		cancel()
		if err == nil {
			return ctx.Err() == nil
		}
		r.complain("the store cannot keep what was sent; it is tried again", err)
		if !r.Wait(ctx, leaseAgain) {
			return false
		}
	}
}

// deliver sends a notification until the receiver has taken it or refuses it for good. It returns false if ctx ended
// before.
func (r *Reader) deliver(ctx context.Context, n Notification) bool {
	var tried attempts
	for r.mayRead(ctx) {
		err := r.send(ctx, n)
		if err == nil {
			r.delivered()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		r.Tally.Failed(r.To.Kind(), sluice.ErrorCode(err))
		wait, again := tried.next(err, r.refusing)
		if !again {
			r.refusing = true
			r.Tally.Skipped(r.To.Kind())
			r.Logger.Error("a receiver refuses a notification, which is skipped", "receiver", r.To.Name, "event", n.ID,
				"kind", string(n.Kind), "error", err, "hint", sluice.ErrorHint(err))
			return true
		}
		r.complain("a notification cannot be sent now; it is tried again", err)
		r.Wait(ctx, jittered(wait))
	}
	return false
}

// mayRead reports whether this process still reads for the receiver.
func (r *Reader) mayRead(ctx context.Context) bool {
	select {
	case <-r.lost:
		return false
	default:
		return ctx.Err() == nil
	}
}

// send sends once. The receiver may still answer for a few seconds after ctx has ended.
func (r *Reader) send(ctx context.Context, n Notification) error {
	bounded, cancel := parting(ctx)
	defer cancel()
	return r.Sender.Send(bounded, n)
}

// parting returns a context that ends after the patience, or a few seconds after ctx.
func parting(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })
	return bounded, func() {
		stop()
		cancel()
	}
}

func (r *Reader) delivered() {
	r.Tally.Sent(r.To.Kind())
	if r.refusing || r.said != "" {
		r.Logger.Info("a receiver takes notifications again", "receiver", r.To.Name)
	}
	r.refusing, r.said = false, ""
}

// complain logs a trouble once, not at each attempt.
func (r *Reader) complain(what string, err error) {
	if text := what + err.Error(); text != r.said {
		r.said = text
		r.Logger.Warn(what, "receiver", r.To.Name, "error", err, "hint", sluice.ErrorHint(err))
	}
}
