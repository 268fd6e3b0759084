package agent

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

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
