package kopia_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// A remote is a volume without a directory. It counts the bytes that are passed on.
type remote struct {
	dir  string
	sent atomic.Int64
	fail int64 // after so many bytes; 0: never
}

type counted struct {
	tree.Reader
	*remote
}

func (c counted) Read(ctx context.Context, parts []tree.Part, take func(tree.Piece) error) error {
	return c.Reader.Read(ctx, parts, func(p tree.Piece) error {
		if sent := c.sent.Add(int64(len(p.Data))); c.fail > 0 && sent > c.fail {
			return sluice.Errorf(sluice.Unavailable, "the connection is lost")
		}
		return take(p)
	})
}

func (r *remote) mover(t *testing.T, repository string) *kopia.Mover {
	t.Helper()
	m, err := kopia.Open(t.Context(), kopia.Options{
		Dir: repository, CacheDir: t.TempDir(), Password: password("sesame"),
		Reader: func(_ context.Context, _ sluice.Transfer, v sluice.Volume) (tree.Reader, error) {
			v.Dir = r.dir
			from, err := tree.Open(v)
			return counted{from, r}, err
		},
		Writer: func(ctx context.Context, _ sluice.Transfer, v sluice.Volume, content string) (tree.Writer, error) {
			v.Dir = r.dir
			return tree.Create(ctx, v, content)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.WithoutCancel(t.Context())) })
	return m
}

func away(kind sluice.TransferKind, id string) sluice.Transfer {
	v := sluice.Volume{Namespace: "n", Claim: "c", Generation: "g", Mount: "c"}
	return sluice.Transfer{Kind: kind, ID: id, Volumes: []sluice.Volume{v}}
}

// Only what changed crosses the network, and what an interrupted copy sent is not sent again.
func TestSegmentsAreSentOnce(t *testing.T) {
	const segments = 300 // more than are read at once
	dir := t.TempDir()
	name := filepath.Join(dir, "data")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	put := func(segment int64, text string) {
		if _, err := f.WriteAt([]byte(text), segment*tree.Segment); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(segments) {
		put(i, "segment "+string(rune('a'+i%26)))
	}
	defer f.Close()
	r := &remote{dir: dir, fail: 270 * tree.Segment}
	m := r.mover(t, t.TempDir())
	if _, err := mover.Run(t.Context(), m, away(sluice.TransferCopy, "d-1"), nil); sluice.ErrorCode(err) !=
		sluice.Unavailable {
		t.Fatalf("a lost connection: %v", err)
	}
	r.fail, r.sent = 0, atomic.Int64{}
	first, err := mover.Run(t.Context(), m, away(sluice.TransferCopy, "d-1"), nil)
	if sent := r.sent.Load() / tree.Segment; err != nil || sent > 60 {
		t.Errorf("after the lost connection %d segments were sent, %v", sent, err)
	}
	put(7, "changed")
	put(280, "changed too")
	r.sent.Store(0)
	second, err := mover.Run(t.Context(), m, away(sluice.TransferCopy, "d-2"), nil)
	if sent := r.sent.Load() / tree.Segment; err != nil || sent != 2 {
		t.Errorf("after a change of two segments %d were sent, %v", sent, err)
	}
	back := away(sluice.TransferRestore, "r")
	for _, c := range []sluice.Copy{first, second} {
		back.Copy = c
		r.dir = t.TempDir()
		if _, err := mover.Run(t.Context(), m, back, nil); err != nil {
			t.Fatal(err)
		}
	}
	text := make([]byte, 11)
	if got, err := os.Open(filepath.Join(r.dir, "data")); err != nil {
		t.Error(err)
	} else if _, err := got.ReadAt(text, 280*tree.Segment); err != nil || string(text) != "changed too" {
		t.Errorf("segment 280 begins with %q, %v", text, err)
	}
}
