package mongodb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
)

const (
	unlocking   = 30 * time.Second // how long to try to end a lock
	unlockEvery = 200 * time.Millisecond
)

// The codes of a server that has no such command, and of one that was not locked.
var (
	unknownCommand = []int{59, 238, 115} // CommandNotFound, NotImplemented, CommandNotSupported
	notLocked      = []int{20}           // IllegalOperation
)

var _ sluice.Locker = (*database)(nil)

// A lock is that of a database, if it is held. The server counts: it must be told to unlock once for each time it was
// told to lock, so that the locks of others stay.
type lock struct {
	mu    sync.Mutex
	held  bool
	ended *sluice.Error // why it ended before Unlock
	lease *time.Timer
}

func (l *lock) isHeld() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Lock implements [sluice.Locker] by fsync with lock. Whether it holds is read from currentOp.
func (d *database) Lock(ctx context.Context, lease time.Duration) error {
	l := d.lock
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held {
		return sluice.Errorf(sluice.Conflict, "the database at %s is locked already", d.address)
	}
	end := time.Now().Add(lease)
	if err := d.fsync(ctx, lease); err != nil {
		return err
	}
	l.held, l.ended = true, nil
	l.lease = time.AfterFunc(time.Until(end), func() { d.expire(lease) })
	return nil
}

// Lockable implements [sluice.Locker]. A server lists its commands to everybody.
func (d *database) Lockable(ctx context.Context) error {
	var known struct {
		Commands map[string]bson.RawValue `bson:"commands"`
	}
	err := d.client.Database("admin").RunCommand(ctx, bson.D{{Key: "listCommands", Value: 1}}).Decode(&known)
	if err != nil {
		return d.lockError(ctx, "ask what the server can do", err)
	}
	for _, command := range []string{"fsync", "fsyncUnlock", "currentOp"} {
		if _, ok := known.Commands[command]; !ok {
			return d.unlockable("it has no command " + command)
		}
	}
	if err := d.mayLock(ctx); err != nil {
		return err
	}
	return d.unlocked(ctx)
}

// mayLock refuses a login without the rights. A server without logins allows everything.
func (d *database) mayLock(ctx context.Context) error {
	var status struct {
		Info struct {
			Users      []bson.RawValue `bson:"authenticatedUsers"`
			Privileges []struct {
				Resource struct {
					Cluster bool `bson:"cluster"`
					Any     bool `bson:"anyResource"`
				} `bson:"resource"`
				Actions []string `bson:"actions"`
			} `bson:"authenticatedUserPrivileges"`
		} `bson:"authInfo"`
	}
	command := bson.D{{Key: "connectionStatus", Value: 1}, {Key: "showPrivileges", Value: true}}
	if err := d.client.Database("admin").RunCommand(ctx, command).Decode(&status); err != nil {
		return d.lockError(ctx, "ask what the login may do", err)
	}
	if len(status.Info.Users) == 0 {
		return nil
	}
	var may []string
	for _, p := range status.Info.Privileges {
		if p.Resource.Cluster || p.Resource.Any {
			may = append(may, p.Actions...)
		}
	}
	if slices.Contains(may, "fsync") && slices.Contains(may, "unlock") {
		return nil
	}
	return d.denied()
}

// unlocked is a Conflict if somebody blocks writes.
func (d *database) unlocked(ctx context.Context) error {
	locked, err := d.locked(ctx)
	if err == nil && locked {
		return sluice.Errorf(sluice.Conflict, "writes to the database at %s are blocked already", d.address).
			WithHint("somebody else makes a backup; if nobody does, run db.fsyncUnlock() in mongosh")
	}
	return err
}

// fsync locks a server that nobody has locked. If it is not clear that the server is locked, it is unlocked. The end of
// ctx does not interrupt the command, because the server might lock later.
func (d *database) fsync(ctx context.Context, lease time.Duration) error {
	if err := d.unlocked(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	err := d.admin(limited, "lock", bson.D{{Key: "fsync", Value: 1}, {Key: "lock", Value: true},
		{Key: "maxTimeMS", Value: lease.Milliseconds()}})
	if sluice.ErrorCode(err) == sluice.Unsupported || sluice.ErrorCode(err) == sluice.Denied {
		return err
	}
	locked := false
	if err == nil {
		locked, err = d.locked(ctx)
	}
	if err == nil && !locked {
		return sluice.Errorf(sluice.Failed, "the database at %s does not block writes although it was locked", d.address)
	}
	if err != nil {
		return errors.Join(err, d.release(ctx))
	}
	return nil
}

// expire ends a lock whose lease is over.
func (d *database) expire(lease time.Duration) {
	l := d.lock
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return
	}
	l.held = false
	l.ended = sluice.Errorf(sluice.Failed, "the lock of the database at %s ended after %s, before the copy was complete",
		d.address, lease).WithHint("what was copied meanwhile cannot be used; try again with a longer lease")
	if err := d.release(context.Background()); err != nil {
		l.ended = sluice.Errorf(sluice.ErrorCode(err), "unlock the database at %s: %w", d.address, err).
			WithHint("run db.fsyncUnlock() in mongosh: writes may still be blocked")
	}
}

// Unlock implements [sluice.Locker].
func (d *database) Unlock(ctx context.Context) error {
	l := d.lock
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		err := l.ended
		l.ended = nil
		return err
	}
	if !l.held {
		return d.release(ctx)
	}
	l.lease.Stop()
	l.held = false
	locked, err := d.locked(ctx)
	if err == nil && !locked {
		return sluice.Errorf(sluice.Failed, "the lock of the database at %s ended before the copy was complete", d.address).
			WithHint("the server was restarted, or somebody ran fsyncUnlock; copy again")
	}
	return d.release(ctx)
}

// release ends one lock, if there is one. It also tries after ctx has ended: production must not stay locked.
func (d *database) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlocking)
	defer cancel()
	again := time.NewTicker(unlockEvery)
	defer again.Stop()
	for {
		err := d.unlockOnce(ctx)
		if sluice.ErrorCode(err) != sluice.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// unlockOnce asks first, because an answer may have been lost.
func (d *database) unlockOnce(ctx context.Context) error {
	locked, err := d.locked(ctx)
	if err != nil || !locked {
		return err
	}
	return d.admin(ctx, "unlock", bson.D{{Key: "fsyncUnlock", Value: 1}})
}

// locked reports whether the server blocks writes.
func (d *database) locked(ctx context.Context) (bool, error) {
	var current struct {
		Locked bool `bson:"fsyncLock"`
	}
	command := bson.D{{Key: "currentOp", Value: 1}, {Key: "$ownOps", Value: true}}
	err := d.client.Database("admin").RunCommand(ctx, command).Decode(&current)
	return current.Locked, d.lockError(ctx, "ask whether writes are blocked", err)
}

func (d *database) admin(ctx context.Context, op string, command bson.D) error {
	return d.lockError(ctx, op, d.client.Database("admin").RunCommand(ctx, command).Err())
}

func (d *database) lockError(ctx context.Context, op string, err error) error {
	command, answered := answerIn(err)
	switch {
	case answered && slices.Contains(notLocked, int(command.Code)):
		return nil
	case answered && slices.Contains(unknownCommand, int(command.Code)):
		return d.unlockable(command.Message)
	case answered && slices.Contains(denials, int(command.Code)):
		return d.denied()
	}
	return d.wrap(ctx, op, err)
}

func (d *database) unlockable(why string) error {
	return sluice.Errorf(sluice.Unsupported, "the database at %s cannot block writes while it is copied: %s", d.address,
		why).WithHint("keep data and journal on one volume, so that no lock is needed")
}

func (d *database) denied() error {
	return sluice.Errorf(sluice.Denied, "the database at %s refuses to block writes for this login", d.address).
		WithHint("give the user of the dataset's uri the role hostManager on the database admin")
}
