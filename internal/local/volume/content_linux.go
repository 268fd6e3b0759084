package volume

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func (c *cloner) content(src, dst string, size int64) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		return nil
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	return c.extents(in, out, size)
}

// extents copies the parts that hold data; holes stay holes.
func (c *cloner) extents(in, out *os.File, size int64) error {
	for at := int64(0); at < size; {
		from, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // only a hole is left
			return nil
		}
		if errors.Is(err, unix.EINVAL) { // the file system knows no holes
			from, err = at, nil
		}
		if err != nil {
			return err
		}
		to, err := unix.Seek(int(in.Fd()), from, unix.SEEK_HOLE)
		if err != nil {
			to = size
		}
		if err := c.extent(in, out, from, min(to, size)); err != nil {
			return err
		}
		at = to
	}
	return nil
}

// chunk is how much is copied between two looks at the context.
const chunk = 64 << 20

func (c *cloner) extent(in, out *os.File, from, to int64) error {
	for from < to {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		r, w := from, from
		n, err := unix.CopyFileRange(int(in.Fd()), &r, int(out.Fd()), &w, int(min(to-from, chunk)), 0)
		if err == nil && n == 0 {
			return nil // the file ended earlier than it said
		}
		switch {
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EXDEV),
			errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
			return plainCopy(in, out, from, to)
		case err != nil:
			return err
		}
		from += int64(n)
	}
	return nil
}

func plainCopy(in, out *os.File, from, to int64) error {
	_, err := io.Copy(io.NewOffsetWriter(out, from), io.NewSectionReader(in, from, to-from))
	return err
}
