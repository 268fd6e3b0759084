package tree

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// lostAndFound belongs to the file system, not to the volume's content.
const lostAndFound = "lost+found"

// Open returns a Reader of the volume, which has a Dir.
func Open(v sluice.Volume) (Reader, error) {
	root, err := os.OpenRoot(v.Dir)
	return &reader{v.Claim, root}, fault(v.Claim, err)
}

type reader struct {
	claim string
	root  *os.Root
}

func (r *reader) Close() error { return r.root.Close() }

// Size implements [Reader].
func (r *reader) Size(ctx context.Context) (s Size, err error) {
	err = newWalk(r).entries(ctx, Root, func(e Entry) error {
		if e.Kind == File {
			s.Bytes += e.Size
		}
		if e.Kind == File || e.Kind == Link {
			s.Files++
		}
		return nil
	})
	return s, fault(r.claim, err)
}

// Entries implements [Reader].
func (r *reader) Entries(ctx context.Context, visit func(Entry) error) error {
	w := newWalk(r)
	w.xattrs = true
	return fault(r.claim, w.entries(ctx, Root, visit))
}

// A walk passes on the entries of a volume once.
type walk struct {
	*reader
	xattrs bool
	first  map[inode]string // the first name of each file that has several
}

type inode struct{ dev, ino uint64 }

func newWalk(r *reader) *walk { return &walk{reader: r, first: map[inode]string{}} }

func (w *walk) entries(ctx context.Context, name string, visit func(Entry) error) error {
	e, err := w.entry(name)
	if err != nil || e.Kind == "" {
		return err
	}
	if err := errors.Join(ctx.Err(), visit(e)); err != nil || e.Kind != Dir {
		return err
	}
	children, err := names(w.root, name)
	if err != nil {
		return err
	}
	for _, child := range children {
		if name == Root && child == lostAndFound {
			continue
		}
		if err := w.entries(ctx, path.Join(name, child), visit); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names in a directory, sorted.
func names(root *os.Root, dir string) ([]string, error) {
	list, err := fs.ReadDir(root.FS(), dir)
	all := make([]string, len(list))
	for i, d := range list {
		all[i] = d.Name()
	}
	return all, err
}

// entry describes a name. The kind is "" if it has no content.
func (w *walk) entry(name string) (e Entry, err error) {
	info, err := w.root.Lstat(name)
	if err != nil {
		return e, err
	}
	if err := w.check(name); err != nil {
		return e, err
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	e = Entry{Path: name, Mode: info.Mode() & modeBits, UID: st.Uid, GID: st.Gid, ModTime: info.ModTime()}
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		e.Kind = Symlink
		e.Target, err = w.root.Readlink(name)
		if err == nil && !utf8.ValidString(e.Target) {
			err = w.notUTF8("symbolic link whose target", name)
		}
		return e, err
	case fs.ModeDir:
		e.Kind = Dir
	case 0:
		e.Kind, e.Size = File, info.Size()
		e.Sparse, e.Linked = st.Blocks*512 < e.Size, st.Nlink > 1
		if before := w.before(st, name); before != "" {
			return Entry{Path: name, Kind: Link, Target: before}, nil
		}
	default:
		return e, nil
	}
	if w.xattrs {
		e.Xattrs, err = w.attributes(name)
	}
	return e, err
}

// modeBits are the bits of a mode that are kept.
const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// check refuses names that would come back as another one, or not at all.
func (w *walk) check(name string) error {
	if name == mark {
		return sluice.Errorf(sluice.Conflict, "the volume of the claim %s holds an unfinished restore", w.claim).
			WithHint("restore it again first, or discard that generation of the claim")
	}
	if !utf8.ValidString(name) {
		return w.notUTF8("file whose name", name)
	}
	return nil
}

func (w *walk) notUTF8(what, name string) error {
	return sluice.Errorf(sluice.Unsupported, "the claim %s holds a %s is not UTF-8: %q", w.claim, what, name).
		WithHint("rename it, or choose another mover for this dataset")
}

// before returns the first name of a file that has several, "" for the first one itself.
func (w *walk) before(st *syscall.Stat_t, name string) string {
	if st.Nlink < 2 {
		return ""
	}
	id := inode{uint64(st.Dev), st.Ino} //nolint:unconvert // not the same type on every system
	before := w.first[id]
	if before == "" {
		w.first[id] = name
	}
	return before
}

func (w *walk) attributes(name string) (map[string][]byte, error) {
	f, err := open(w.root, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return xattrs(f)
}

// open does not wait for a writer if the name has become a pipe.
func open(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// A segment is one of a part.
type segment struct {
	Part
	index int
}

// Read implements [Reader].
func (r *reader) Read(ctx context.Context, parts []Part, take func(Piece) error) error {
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan segment)
	g.Go(func() error {
		defer close(queue)
		for _, p := range parts {
			for i := range p.Segments() {
				select {
				case queue <- segment{p, i}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range AtOnce() {
		g.Go(func() error {
			buffer, _ := buffers.Get().(*[Segment]byte)
			defer buffers.Put(buffer)
			for s := range queue {
				piece, err := r.read(s, buffer[:])
				if err := errors.Join(ctx.Err(), err); err != nil {
					return err
				}
				if err := take(piece); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return fault(r.claim, g.Wait())
}

// AtOnce is how many segments are worked on at once: enough for the cores, few enough for the memory.
func AtOnce() int { return min(runtime.NumCPU(), 4) }

var buffers = sync.Pool{New: func() any { return new([Segment]byte) }}

func (r *reader) read(s segment, buffer []byte) (Piece, error) {
	at := int64(s.index) * Segment
	p := Piece{Path: s.Path, Offset: s.Offset + at, Length: min(Segment, s.Length-at)}
	data := buffer[:p.Length]
	f, err := open(r.root, s.Path)
	if err != nil {
		return p, err
	}
	defer func() { _ = f.Close() }() // only read
	switch hole, err := isHole(f, p); {
	case err != nil:
		return p, err
	case hole && p.Length == Segment:
		p.Sum = ZeroSum(Segment)
		return p, nil
	}
	if _, err := io.ReadFull(io.NewSectionReader(f, p.Offset, p.Length), data); err != nil {
		return p, r.changed(s.Path, err)
	}
	p.Sum = SumOf(data)
	known := s.index < len(s.Known) && s.Known[s.index] == p.Sum
	if !known && !IsZero(data) {
		p.Data = data
	}
	return p, nil
}

func (r *reader) changed(name string, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return sluice.Errorf(sluice.Failed, "the file %s of the claim %s became shorter while it was read", name, r.claim).
		WithHint("nothing may write to the volume while it is copied")
}

// isHole reports whether the whole piece is a hole.
func isHole(f *os.File, p Piece) (bool, error) {
	data, err := f.Seek(p.Offset, unix.SEEK_DATA)
	switch {
	case errors.Is(err, syscall.ENXIO):
		info, err := f.Stat()
		return err == nil && info.Size() >= p.Offset+p.Length, err
	case err != nil:
		return false, nil // the file system does not know holes
	}
	return data >= p.Offset+p.Length, nil
}

// ZeroSum returns the sum of at most a segment's bytes that are all zero.
func ZeroSum(length int64) Sum {
	if length == Segment {
		return zeroSegment()
	}
	return SumOf(zeros[:length])
}

var zeroSegment = sync.OnceValue(func() Sum { return SumOf(zeros[:]) })

var zeros [Segment]byte

// IsZero reports whether at most a segment's bytes are all zero.
func IsZero(b []byte) bool { return string(b) == string(zeros[:len(b)]) }
