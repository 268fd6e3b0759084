package remote

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

type writer struct {
	volume
	opened
}

// Left implements [tree.Writer].
func (w *writer) Left() tree.Reader {
	if !w.opened.Left {
		return nil
	}
	return &reader{w.volume}
}

// Make implements [tree.Writer].
func (w *writer) Make(ctx context.Context, entries []tree.Entry) error {
	return w.change(ctx, "make", entries)
}

// Seal implements [tree.Writer].
func (w *writer) Seal(ctx context.Context, entries []tree.Entry) error {
	return w.change(ctx, "seal", entries)
}

// change sends the entries, in as many calls as they need.
func (w *writer) change(ctx context.Context, call string, entries []tree.Entry) error {
	for len(entries) > 0 {
		n := some(entries)
		err := again(ctx, func() (bool, error) {
			_, err := beside.Call[change, nothing](ctx, w.session, w.path(call), change{w.Key, entries[:n]}, nil)
			return false, err
		})
		if err != nil {
			return w.named(err)
		}
		entries = entries[n:]
	}
	return nil
}

// maxChange is about how many bytes of entries a call has.
const maxChange = 4 << 20

// some returns how many of the entries fit into one call, at least one.
func some(entries []tree.Entry) int {
	size := 0
	for i, e := range entries {
		size += 256 + len(e.Path) + len(e.Target)
		for name, value := range e.Xattrs {
			size += len(name) + 2*len(value)
		}
		if size > maxChange && i > 0 {
			return i
		}
	}
	return len(entries)
}

// Write implements [tree.Writer].
func (w *writer) Write(ctx context.Context, pieces []tree.Piece) error {
	return w.named(again(ctx, func() (bool, error) { return false, w.write(ctx, pieces) }))
}

func (w *writer) write(ctx context.Context, pieces []tree.Piece) error {
	body, out := io.Pipe()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		out.CloseWithError(send(out, pieces))
	}()
	resp, err := w.session.Do(ctx, http.MethodPost, w.path("write")+"?key="+url.QueryEscape(w.Key), body)
	_ = body.CloseWithError(errors.New("the answer came first")) // the pieces belong to the caller again
	<-sent
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// send writes the pieces, none larger than a segment.
func send(out io.Writer, pieces []tree.Piece) error {
	for _, p := range pieces {
		for {
			f := frame{Piece: p}
			f.Data = p.Data[:min(len(p.Data), tree.Segment)]
			if err := writeFrame(out, f); err != nil {
				return err
			}
			if p.Data = p.Data[len(f.Data):]; len(p.Data) == 0 {
				break
			}
			p.Offset += int64(len(f.Data))
		}
	}
	return writeFrame(out, frame{End: true})
}
