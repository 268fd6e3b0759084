package agent

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// lastGrace is how long pods have to end after their account's directory has gone.
const lastGrace = 5 * time.Second

// ownDirectory creates the account's directory, or closes an existing one to other users. It returns its real path.
func ownDirectory(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", sluice.Errorf(sluice.Denied, "the directory belongs to another user: %w", err).
			WithHint("name another state directory with --state")
	}
	return filepath.EvalSymlinks(dir)
}

// leaveTime is how long an earlier agent has to leave the directory.
const leaveTime = 10 * time.Second

// lockDirectory makes this agent the only one of the directory, until unlock is called or the process ends.
func lockDirectory(ctx context.Context, dir string) (unlock func(), err error) {
	lock := flock.New(filepath.Join(dir, "agent.lock"), flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	_, err = lock.TryLockContext(waiting, 50*time.Millisecond) // locks of files bring no event
	if err == nil {
		return func() { _ = lock.Unlock() }, nil
	}
	var earlier process.Identity
	known, readErr := readJSON(filepath.Join(dir, "agent.pid"), &earlier)
	if ctx.Err() != nil || waiting.Err() == nil || readErr != nil || !known {
		return nil, err
	}
	return nil, sluice.Errorf(sluice.Unavailable, "the agent that runs there (process %d) does not answer", earlier.PID).
		WithHint("end it with: kill -9 %d\nits pods run on, and the next command starts another agent", earlier.PID)
}

// watchDirectory ends the agent when its directory is removed or moved. It returns when the agent ends.
func (a *Agent) watchDirectory() {
	events, err := watchPath(a.dir)
	if err != nil {
		a.log.Warn("watch the account's directory", "error", err)
		return
	}
	defer events.Close()
	go func() {
		<-a.ctx.Done()
		_ = events.SetReadDeadline(time.Now()) // ends the read
	}()
	for buf := make([]byte, 4096); !isGone(a.dir, a.id); {
		if _, err := events.Read(buf); err != nil {
			return
		}
	}
	a.quit()
}

// endIfGone ends everything that runs if the account's directory is gone. Nothing of it can be recorded any more.
func (a *Agent) endIfGone() error {
	if !isGone(a.dir, a.id) {
		return nil
	}
	return process.End(accountMark(a.id), lastGrace)
}
