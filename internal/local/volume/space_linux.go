package volume

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Size returns the bytes that the tree takes on its disk. Files that vanish meanwhile do not count.
func Size(dir string) (int64, error) {
	var total int64
	seen := map[inode]bool{}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !seen[inode{st.Dev, st.Ino}] {
			seen[inode{st.Dev, st.Ino}] = true
			total += st.Blocks * 512
		}
		return nil
	})
	return total, err
}

// Free returns the bytes that this user may still write to the directory's disk.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// CanShare reports whether files in the directory can share their blocks, so that a clone takes no space.
func CanShare(dir string) (shares bool, err error) {
	a, err := os.CreateTemp(dir, ".share-*")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, a.Close(), os.Remove(a.Name())) }()
	b, err := os.CreateTemp(dir, ".share-*")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.Close(), os.Remove(b.Name())) }()
	if _, err := a.WriteString("shared"); err != nil {
		return false, err
	}
	return unix.IoctlFileClone(int(b.Fd()), int(a.Fd())) == nil, nil
}

// Sync makes everything on the directory's disk durable.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
