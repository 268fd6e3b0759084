//go:build !linux

package tree

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll begins to write everything to the disk, and waits for the directory.
func syncAll(dir *os.File) error {
	unix.Sync()
	return dir.Sync()
}
