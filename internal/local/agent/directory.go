package agent

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// lastGrace is how long pods have to end after their account's directory has gone.
const lastGrace = 5 * time.Second

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

// watchPath returns a file that can be read when the directory may have been removed or moved, or one above it. The
// directory's own removal is only seen in the one above it, because processes work in the directory.
func watchPath(dir string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	above := filepath.Dir(dir)
	_, inErr := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE|unix.IN_MOVE_SELF)
	_, aboveErr := unix.InotifyAddWatch(fd, above, unix.IN_DELETE|unix.IN_MOVE_SELF)
	if err := errors.Join(inErr, aboveErr); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for above != filepath.Dir(above) {
		above = filepath.Dir(above)
		_, _ = unix.InotifyAddWatch(fd, above, unix.IN_MOVE_SELF) // that of another user may be unreadable, but hardly moves
	}
	return f, nil
}

// endIfGone ends everything that runs if the account's directory is gone. Nothing of it can be recorded any more.
func (a *Agent) endIfGone() error {
	if !isGone(a.dir, a.id) {
		return nil
	}
	return process.End(accountMark(a.id), lastGrace)
}
