package stork

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// copyTree replaces the content of to by that of from, and returns the number of bytes. It removes the old content only
// when the new one is complete. Files may change while they are read, so the copy is like one after a crash, or worse.
func copyTree(from, to string) (int64, error) {
	temp := to + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return 0, err
	}
	total := int64(0)
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != from {
			return nil // removed in the meantime
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		n, err := copyEntry(path, filepath.Join(temp, relative), entry)
		total += n
		return err
	})
	if err != nil {
		return 0, err
	}
	// The directory itself stays, because it may be mounted.
	if err := os.MkdirAll(to, 0o777); err != nil {
		return 0, err
	}
	if err := os.Chmod(to, 0o777); err != nil {
		return 0, err
	}
	return total, errors.Join(replaceContent(temp, to), os.RemoveAll(temp))
}

func replaceContent(from, to string) error {
	old, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, entry := range old {
		if err := os.RemoveAll(filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	now, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range now {
		if err := os.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyEntry(from, to string, entry fs.DirEntry) (int64, error) {
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	switch {
	case entry.IsDir():
		return 0, errors.Join(os.MkdirAll(to, 0o700), keepOwner(to, info))
	case info.Mode().IsRegular():
		n, err := copyFile(from, to)
		return n, errors.Join(err, keepOwner(to, info))
	}
	return 0, nil // sockets and the like are useless elsewhere
}

func copyFile(from, to string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Sync(), out.Close())
}

func keepOwner(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s has no owner", path)
	}
	return errors.Join(os.Chown(path, int(stat.Uid), int(stat.Gid)), os.Chmod(path, info.Mode().Perm()))
}
