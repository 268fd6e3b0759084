package remote_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// A restore whose pod is killed at every tenth of its bytes goes on in the next pod, with both of its volumes.
func TestARestoreGoesOnInTheNextPod(t *testing.T) {
	a, b, x, y := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "first"), noise(4))
	write(t, filepath.Join(b, "second"), noise(15))
	write(t, filepath.Join(b, "small"), "small")
	c, sent := cluster(t), &atomic.Int64{}
	m := kopiaOver(t, c, t.TempDir(), sent)
	made, err := mover.Run(t.Context(), m, transfer(c, sluice.TransferCopy, a, b), nil)
	must(t, err)
	back := transfer(c, sluice.TransferRestore, x, y)
	back.Copy = made
	pods, next, killed := c.Made(), int64(1), sync.WaitGroup{}
	for err = error(sluice.Errorf(sluice.Unavailable, "not yet")); sluice.ErrorCode(err) == sluice.Unavailable; {
		_, err = mover.Run(t.Context(), m, back, func(amount sluice.Amount) {
			if next < 10 && amount.Done > made.Bytes*next/10 {
				next++
				killed.Go(c.Kill)
			}
		})
		killed.Wait()
	}
	must(t, err)
	pods = c.Made() - pods
	if pods < 2 || sent.Load() > made.Bytes+int64(pods*tree.AtOnce()*tree.Segment) {
		t.Errorf("%d pods were given %d bytes for %d", pods, sent.Load(), made.Bytes)
	}
	for from, to := range map[string]string{a: x, b: y} {
		same(t, from, to)
	}
}

func same(t *testing.T, a, b string) {
	t.Helper()
	must(t, fs.WalkDir(os.DirFS(a), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := os.ReadFile(filepath.Join(a, name))
		must(t, err)
		got, err := os.ReadFile(filepath.Join(b, name))
		if err != nil || tree.SumOf(want) != tree.SumOf(got) {
			t.Errorf("%s came back with %d bytes, not %d: %v", name, len(got), len(want), err)
		}
		return nil
	}))
}
