package tree

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// mark is a file in a volume while it is filled. A volume with the mark holds only what an unfinished Writer left. It
// names the content that the Writer had to make, once nothing of another content is left.
const mark = ".sluice-restore-unfinished"

// Create returns a Writer of the volume, which has a Dir. The name of the content is the same only for the same entries
// with the same content; "" is never the same. What an unfinished Writer of another content left is removed first.
func Create(ctx context.Context, v sluice.Volume, content string) (Writer, error) {
	root, err := os.OpenRoot(v.Dir)
	if err != nil {
		return nil, fault(v.Claim, err)
	}
	w := &writer{claim: v.Claim, root: root}
	if err := w.prepare(ctx, content); err != nil {
		return nil, fault(v.Claim, errors.Join(err, root.Close()))
	}
	return w, nil
}

type writer struct {
	claim string
	root  *os.Root
	left  Reader
}

// Left implements [Writer].
func (w *writer) Left() Reader { return w.left }

func (w *writer) Close() error { return w.root.Close() }

// prepare makes sure that the volume has the mark, and nothing of another content.
func (w *writer) prepare(ctx context.Context, content string) error {
	found, err := names(w.root, Root)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(name string) bool { return name == lostAndFound })
	if len(found) > 0 && !slices.Contains(found, mark) {
		return sluice.Errorf(sluice.Conflict, "the volume of the claim %s is not empty: it holds %s", w.claim, found[0]).
			WithHint("nothing is overwritten; restore into a new generation of the claim")
	}
	if was, err := w.root.ReadFile(mark); err == nil && content != "" && string(was) == content {
		w.left = &reader{w.claim, w.root}
		return nil
	}
	if err := w.root.WriteFile(mark, nil, 0o600); err != nil {
		return err
	}
	for _, name := range found {
		if name == mark {
			continue
		}
		if err := errors.Join(ctx.Err(), w.root.RemoveAll(name)); err != nil {
			return err
		}
	}
	return w.root.WriteFile(mark, []byte(content), 0o600)
}

// Make implements [Writer].
func (w *writer) Make(ctx context.Context, entries []Entry) error {
	return w.each(ctx, entries, func(e Entry) error {
		if e.Path == Root {
			return nil
		}
		switch e.Kind {
		case Dir:
			return errors.Join(w.again(e, w.root.Mkdir(e.Path, 0o700)), w.unseal(e.Path, 0o700))
		case Symlink:
			return w.again(e, w.root.Symlink(e.Target, e.Path))
		case Link:
			return w.again(e, w.root.Link(e.Target, e.Path))
		case File:
			return w.makeFile(e)
		}
		return sluice.Errorf(sluice.Unsupported, "%s is %q, which cannot be made", e.Path, e.Kind)
	})
}

// unseal lets this process use what the Writer before has sealed, if it is there.
func (w *writer) unseal(name string, mode fs.FileMode) error {
	if w.left == nil {
		return nil
	}
	if err := w.root.Chmod(name, mode); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (w *writer) makeFile(e Entry) error {
	if err := w.unseal(e.Path, 0o600); err != nil {
		return err
	}
	f, err := w.root.OpenFile(e.Path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(e.Size), f.Close())
}

// again forgives that the entry is there already, as one of its kind.
func (w *writer) again(e Entry, err error) error {
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, lerr := w.root.Lstat(e.Path)
	if lerr != nil || info.Mode().Type() != modeOf(e.Kind) {
		return errors.Join(err, lerr)
	}
	return nil
}

func modeOf(k Kind) fs.FileMode {
	switch k {
	case Dir:
		return fs.ModeDir
	case Symlink:
		return fs.ModeSymlink
	}
	return 0
}

// Write implements [Writer].
func (w *writer) Write(ctx context.Context, pieces []Piece) error {
	for _, p := range pieces {
		if err := errors.Join(ctx.Err(), w.write(p)); err != nil {
			return fault(w.claim, err)
		}
	}
	return nil
}

func (w *writer) write(p Piece) error {
	f, err := w.root.OpenFile(p.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(p.Data, p.Offset)
	return errors.Join(err, f.Close())
}

// Seal implements [Writer].
func (w *writer) Seal(ctx context.Context, entries []Entry) error {
	return w.each(ctx, entries, w.seal)
}

func (w *writer) seal(e Entry) error {
	if e.Path == Root {
		return w.finish(e)
	}
	return w.sealEntry(e)
}

func (w *writer) sealEntry(e Entry) error {
	switch e.Kind {
	case Link:
		return nil // it is the same file
	case Symlink:
		return w.sealSymlink(e)
	}
	if err := w.sealOpened(e); err != nil {
		return err
	}
	return w.root.Chtimes(e.Path, e.ModTime, e.ModTime)
}

// sealOpened acts on what was opened, so that a link in its place does not matter. The mode comes last, because a new
// owner clears bits of it.
func (w *writer) sealOpened(e Entry) error {
	f, err := open(w.root, e.Path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Type() != modeOf(e.Kind) {
		err = sluice.Errorf(sluice.Failed, "%s is not a %s", e.Path, e.Kind)
	}
	if err == nil && mayOwn() {
		err = f.Chown(int(e.UID), int(e.GID))
	}
	if err == nil {
		err = w.setXattrs(f, e)
	}
	if err == nil {
		err = f.Chmod(e.Mode & modeBits)
	}
	return errors.Join(err, f.Close())
}

// mayOwn reports whether this process may give files to others.
func mayOwn() bool { return os.Geteuid() == 0 }

func (w *writer) sealSymlink(e Entry) error {
	if mayOwn() {
		if err := w.root.Lchown(e.Path, int(e.UID), int(e.GID)); err != nil {
			return err
		}
	}
	dir, err := open(w.root, path.Dir(e.Path))
	if err != nil {
		return err
	}
	at := unix.NsecToTimespec(e.ModTime.UnixNano())
	err = unix.UtimesNanoAt(int(dir.Fd()), path.Base(e.Path), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
	return errors.Join(err, dir.Close())
}

func (w *writer) finish(root Entry) error {
	dir, err := open(w.root, Root)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // only read
	if err := syncAll(dir); err != nil {
		return err
	}
	if err := w.root.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.sealEntry(root); err != nil {
		return err
	}
	return dir.Sync()
}

func (w *writer) each(ctx context.Context, entries []Entry, do func(Entry) error) error {
	for _, e := range entries {
		if err := errors.Join(ctx.Err(), do(e)); err != nil {
			return fault(w.claim, err)
		}
	}
	return nil
}
