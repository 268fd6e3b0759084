package tree

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll waits until everything in the file system of an open directory is on the disk. To sync each file takes much
// longer if there are many.
func syncAll(dir *os.File) error { return os.NewSyscallError("syncfs", unix.Syncfs(int(dir.Fd()))) }
