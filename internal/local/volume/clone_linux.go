package volume

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Clone copies the tree src into dst, which must not exist: content, holes, hard links, symbolic links, modes and
// times. Sockets and devices are left out. It ends early with ctx; the caller then removes what it made.
func Clone(ctx context.Context, src, dst string) error {
	c := &cloner{ctx: ctx, links: map[inode]string{}}
	return c.dir(src, dst)
}

type inode struct{ device, number uint64 }

type cloner struct {
	ctx   context.Context
	links map[inode]string // where a file with several names was copied first
}

func (c *cloner) dir(src, dst string) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dst, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(src)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.entry(filepath.Join(src, e.Name()), filepath.Join(dst, e.Name())); err != nil {
			return err
		}
	}
	return finish(dst, info) // last: creating the entries changed the time
}

func (c *cloner) entry(src, dst string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	info, err := os.Lstat(src)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return c.dir(src, dst)
	case mode.IsRegular():
		return c.file(src, dst, info)
	case mode&fs.ModeSymlink != 0:
		return c.symlink(src, dst, info)
	case mode&fs.ModeNamedPipe != 0:
		return unix.Mkfifo(dst, uint32(mode.Perm()))
	}
	return nil
}

func (c *cloner) symlink(src, dst string, info fs.FileInfo) error {
	to, err := os.Readlink(src)
	if err != nil {
		return err
	}
	if err := os.Symlink(to, dst); err != nil {
		return err
	}
	return setTimes(dst, info.ModTime())
}

func (c *cloner) file(src, dst string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: the file system tells no inode", src)
	}
	key := inode{st.Dev, st.Ino}
	if st.Nlink > 1 {
		if first, ok := c.links[key]; ok {
			return os.Link(first, dst)
		}
		c.links[key] = dst
	}
	if err := c.content(src, dst, info.Size()); err != nil {
		return fmt.Errorf("copy %s: %w", src, err)
	}
	return finish(dst, info)
}

func finish(path string, info fs.FileInfo) error {
	if err := os.Chmod(path, info.Mode().Perm()|info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)); err != nil {
		return err
	}
	return setTimes(path, info.ModTime())
}

func setTimes(path string, t time.Time) error {
	ts := []unix.Timespec{unix.NsecToTimespec(t.UnixNano()), unix.NsecToTimespec(t.UnixNano())}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, unix.AT_SYMLINK_NOFOLLOW)
}
