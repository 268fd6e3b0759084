package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

type reader struct {
	volume
}

// Size implements [tree.Reader].
func (r *reader) Size(ctx context.Context) (s tree.Size, err error) {
	err = again(ctx, func() (bool, error) {
		s, err = beside.Call[nothing, tree.Size](ctx, r.session, r.path("size"), nothing{}, nil)
		return false, err
	})
	if err == nil && (s.Bytes < 0 || s.Files < 0) {
		err = malformed("a size below 0")
	}
	return s, r.named(err)
}

// Entries implements [tree.Reader]. After a broken connection it goes on behind the last entry.
func (r *reader) Entries(ctx context.Context, visit func(tree.Entry) error) error {
	last := ""
	return r.named(again(ctx, func() (further bool, err error) {
		before := last
		err = r.entries(ctx, func(e tree.Entry) error {
			if last != "" && tree.Compare(e.Path, last) <= 0 {
				return nil
			}
			last = e.Path
			return callers(visit(e))
		})
		return last != before, err
	}))
}

func (r *reader) entries(ctx context.Context, visit func(tree.Entry) error) error {
	resp, err := r.session.Do(ctx, http.MethodPost, r.path("entries"), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read, or is not wanted
	in := &bounded{in: resp.Body}
	for lines := json.NewDecoder(in); ; {
		in.left = maxEntry
		var l entryLine
		if err := lines.Decode(&l); err != nil {
			return broken(err)
		}
		switch {
		case l.Error != nil:
			return l.Error.Err()
		case l.End:
			return nil
		case l.Entry == nil || !sound(*l.Entry):
			return malformed("an entry that cannot be")
		}
		if err := visit(*l.Entry); err != nil {
			return err
		}
	}
}

// maxEntry bounds an entry with its extended attributes.
const maxEntry = 8 << 20

// sound reports whether there can be such an entry.
func sound(e tree.Entry) bool {
	known := slices.Contains([]tree.Kind{tree.Dir, tree.File, tree.Symlink, tree.Link}, e.Kind)
	linked := e.Kind != tree.Link || fs.ValidPath(e.Target)
	return known && linked && fs.ValidPath(e.Path) && e.Size >= 0
}

// broken says that an answer ended in the middle.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return sluice.Errorf(sluice.Unavailable, "the connection broke in the middle of an answer")
	}
	if _, known := errors.AsType[*sluice.Error](err); !known {
		return malformed("an answer that is no JSON")
	}
	return err
}

// bounded ends a reader that has read more than is left.
type bounded struct {
	in   io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, malformed("an entry of more than %d MiB", maxEntry>>20)
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Read implements [tree.Reader]. After a broken connection it asks for the segments that did not arrive.
func (r *reader) Read(ctx context.Context, parts []tree.Part, take func(tree.Piece) error) error {
	missing := newOrder(parts)
	return r.named(again(ctx, func() (further bool, err error) {
		before := missing.left
		if before > 0 {
			err = r.read(ctx, missing, take)
		}
		return missing.left < before, err
	}))
}

// read asks for what is missing, and hands on each segment that arrives. As many goroutines take segments as the
// machine has cores; while all of them are busy, nothing more is read, and so the Job waits too.
func (r *reader) read(ctx context.Context, missing *order, take func(tree.Piece) error) error {
	body, err := json.Marshal(missing.parts())
	if err != nil {
		return sluice.Errorf(sluice.Internal, "parts cannot be written as JSON: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	resp, err := r.session.Do(ctx, http.MethodPost, r.path("read"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read, or is not wanted
	arrived := make(chan arrival)
	for range runtime.NumCPU() {
		g.Go(func() error {
			for a := range arrived {
				err := take(a.Piece)
				buffers.Put(a.buffer)
				if err != nil {
					return callers(err)
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(arrived)
		return receive(ctx, resp.Body, missing, arrived)
	})
	return g.Wait()
}

// An arrival is a piece whose data is in a buffer of the pool.
type arrival struct {
	tree.Piece
	buffer *[tree.Segment]byte
}

// receive reads the pieces of an answer until its end.
func receive(ctx context.Context, from io.Reader, missing *order, arrived chan<- arrival) error {
	in := bufio.NewReaderSize(from, 256<<10)
	for {
		buffer, _ := buffers.Get().(*[tree.Segment]byte)
		f, err := readFrame(in, buffer[:])
		switch {
		case err != nil:
			return broken(err)
		case f.Error != nil:
			return f.Error.Err()
		case f.End && missing.left > 0:
			return malformed("an end before the last segment")
		case f.End:
			return nil
		}
		if err := missing.check(f.Piece); err != nil {
			return err
		}
		select {
		case arrived <- arrival{f.Piece, buffer}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
