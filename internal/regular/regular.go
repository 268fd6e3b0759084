// Package regular reads the files that people name on the command line, in sluice.yaml and in deploy files. It imports
// the standard library only. Start at [File].
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrTooLarge says that a file has more bytes than allowed.
var ErrTooLarge = errors.New("it is too large")

// File returns the content of the regular file at the path, also through symbolic links. It refuses every other file:
// to read a pipe or a device could wait for ever or have no end. A file of more than most bytes is ErrTooLarge. Errors
// of the file system keep their identity.
func File(path string, most int64) ([]byte, error) {
	return Read(os.Stat, func(path string) (*os.File, error) {
		return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // does not wait if it has become a pipe
	}, path, most)
}

// Read is [File] within another file system, such as an os.Root.
func Read[F fs.File](
	stat func(string) (fs.FileInfo, error), open func(string) (F, error), name string, most int64,
) ([]byte, error) {
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refused(info.Mode())
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, refused(info.Mode())
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, ErrTooLarge
	}
	return data, err
}

func refused(m fs.FileMode) error {
	return fmt.Errorf("it is %s, not a regular file", kind(m))
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
