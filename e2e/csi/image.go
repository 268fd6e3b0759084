package csi

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// poolBytes is what all volumes together may have. The pool's file takes only what they contain.
	poolBytes = 64 << 30
	// minBytes is the size of the smallest file system.
	minBytes = 8 << 20

	// The requests that freeze and thaw a file system.
	freezeRequest = 0xC0045877
	thawRequest   = 0xC0045878
)

var errNameTooLong = unix.ENAMETOOLONG

// mountPool mounts the file system in file, which it makes if there is none.
func mountPool(dir, file string) error {
	if mounted, err := isMountPoint(dir); err != nil || mounted {
		return err
	}
	if _, err := os.Stat(file); os.IsNotExist(err) {
		temporary := file + ".new"
		if err := makeSparse(temporary, poolBytes); err != nil {
			return err
		}
		if err := run("mkfs.xfs", "-q", "-f", temporary); err != nil {
			return err
		}
		if err := os.Rename(temporary, file); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The blocks of a volume that is deleted go back to the machine.
	return run("mount", "-t", "xfs", "-o", "loop,discard", file, dir)
}

// makeSparse makes a file that takes no space.
func makeSparse(path string, bytes int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(bytes), f.Close())
}

// makeEmpty makes an image with an empty file system.
func makeEmpty(path string, bytes int64) error {
	if err := makeSparse(path, bytes); err != nil {
		return err
	}
	return run("mkfs.ext4", "-q", "-F", "-m", "0", path)
}

// clone makes an image that shares the blocks of another one.
func clone(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	err = unix.IoctlFileClone(int(target.Fd()), int(source.Fd()))
	return errors.Join(err, target.Close())
}

// grow enlarges the file system of an image that is not mounted.
func grow(path string, bytes int64) error {
	if err := os.Truncate(path, bytes); err != nil {
		return err
	}
	if err := run("e2fsck", "-f", "-p", path); err != nil {
		return err
	}
	return run("resize2fs", path)
}

// frozen runs the function while nobody can write to the file systems that are mounted at the directories.
func frozen(dirs []string, do func() error) (err error) {
	for _, dir := range dirs {
		// What is written before does not prolong the freeze.
		if err := request(dir, func(fd int) error { return unix.Syncfs(fd) }); err != nil {
			return err
		}
	}
	for _, dir := range dirs {
		if err := request(dir, func(fd int) error { return unix.IoctlSetInt(fd, freezeRequest, 0) }); err != nil {
			return fmt.Errorf("freeze %s: %w", dir, err)
		}
		defer func() { err = errors.Join(err, thaw(dir)) }()
	}
	return do()
}

func thaw(dir string) error {
	return request(dir, func(fd int) error { return unix.IoctlSetInt(fd, thawRequest, 0) })
}

func request(dir string, do func(fd int) error) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(int(f.Fd()))
}

// isMountPoint is false for a directory that does not exist.
func isMountPoint(dir string) (bool, error) {
	var here, parent unix.Stat_t
	if err := unix.Stat(dir, &here); err == unix.ENOENT {
		return false, nil
	} else if err != nil {
		return false, err
	}
	err := unix.Stat(filepath.Dir(dir), &parent)
	return err == nil && here.Dev != parent.Dev, err
}

func run(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
