package remote_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
	"github.com/sluice-cd/sluice/internal/mover/remote"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// cluster has pods whose volumes are the directories that their claims are named after.
func cluster(t *testing.T) *besidetest.Cluster {
	return besidetest.New(t, func(p besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		remote.Offer(mux, p.Volumes)
		return mux
	})
}

func transfer(c *besidetest.Cluster, kind sluice.TransferKind, dirs ...string) sluice.Transfer {
	t := sluice.Transfer{Kind: kind, ID: "d-1", Place: c.Place("shop")}
	for i, dir := range dirs {
		t.Volumes = append(t.Volumes, sluice.Volume{Namespace: "shop", Claim: fmt.Sprint("claim-", i), Mount: dir})
	}
	return t
}

func reader(t *testing.T, c *besidetest.Cluster, dir string) tree.Reader {
	t.Helper()
	work := transfer(c, sluice.TransferCopy, dir)
	r, err := remote.New(c.Bench(beside.Options{})).Reader(t.Context(), work, work.Volumes[0])
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func create(t *testing.T, c *besidetest.Cluster, dir string) (tree.Writer, error) {
	t.Helper()
	work := transfer(c, sluice.TransferRestore, dir)
	w, err := remote.New(c.Bench(beside.Options{})).Writer(t.Context(), work, work.Volumes[0], "")
	if err == nil {
		t.Cleanup(func() { w.Close() })
	}
	return w, err
}

func writer(t *testing.T, c *besidetest.Cluster, dir string) tree.Writer {
	t.Helper()
	w, err := create(t, c, dir)
	must(t, err)
	return w
}

func entries(t *testing.T, r tree.Reader) []tree.Entry {
	t.Helper()
	var all []tree.Entry
	must(t, r.Entries(t.Context(), func(e tree.Entry) error {
		e.Sparse = false // it depends on the file system and its state
		all = append(all, e)
		return nil
	}))
	return all
}

func parts(all []tree.Entry) []tree.Part {
	var list []tree.Part
	for _, e := range all {
		if e.Kind == tree.File {
			list = append(list, tree.Part{Path: e.Path, Length: e.Size})
		}
	}
	return list
}

func write(t *testing.T, name, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(content), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noise is content that no two segments share.
func noise(segments int) string {
	b := make([]byte, segments*tree.Segment+17)
	for i := range b {
		b[i] = byte(i*i>>11 + i>>13)
	}
	return string(b)
}

func TestATreeComesBackAsItWas(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "deep", "er", "plain"), "plain")
	write(t, filepath.Join(a, "empty"), "")
	write(t, filepath.Join(a, "large"), noise(3))
	must(t, os.Symlink("/nowhere", filepath.Join(a, "dangling")))
	must(t, os.Link(filepath.Join(a, "large"), filepath.Join(a, "other name")))
	must(t, os.Truncate(filepath.Join(a, "empty"), 2*tree.Segment))
	c := cluster(t)
	r, w := reader(t, c, a), writer(t, c, b)
	all := entries(t, r)
	must(t, w.Make(t.Context(), all))
	must(t, r.Read(t.Context(), parts(all), func(p tree.Piece) error {
		if p.Data == nil {
			return nil
		}
		return w.Write(t.Context(), []tree.Piece{p})
	}))
	slices.Reverse(all)
	must(t, w.Seal(t.Context(), all))
	slices.Reverse(all)
	back := entries(t, reader(t, cluster(t), b))
	if diff := cmp.Diff(all, back); diff != "" {
		t.Errorf("it came back otherwise: %s", diff)
	}
	raw, err := os.ReadFile(filepath.Join(b, "other name"))
	if err != nil || string(raw) != noise(3) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	size, err := r.Size(t.Context())
	if diff := cmp.Diff(tree.Size{Bytes: 5 + 5*tree.Segment + 17, Files: 4}, size); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
}

// A connection that breaks while data flows is made again, and nothing is passed on twice or lost.
func TestABrokenConnectionIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), noise(9))
	c := cluster(t)
	r := reader(t, c, dir)
	var mu sync.Mutex
	seen := map[int64]int{}
	must(t, r.Read(t.Context(), parts(entries(t, r)), func(p tree.Piece) error {
		mu.Lock()
		defer mu.Unlock()
		seen[p.Offset]++
		if len(seen) == 3 {
			c.Break()
		}
		return nil
	}))
	for i := range int64(10) {
		if n := seen[i*tree.Segment]; n != 1 {
			t.Errorf("segment %d was passed on %d times", i, n)
		}
	}
	if c.Made() != 1 {
		t.Errorf("%d pods were made", c.Made())
	}
}

func TestTheCallersErrorEndsTheRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), noise(9))
	r := reader(t, cluster(t), dir)
	full := sluice.Errorf(sluice.Unavailable, "the repository is away")
	if err := r.Read(t.Context(), parts(entries(t, r)), func(tree.Piece) error { return full }); err != error(full) {
		t.Error(err)
	}
	if err := r.Entries(t.Context(), func(tree.Entry) error { return full }); err != error(full) {
		t.Error(err)
	}
}

func TestAKilledPodIsUnavailable(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), noise(9))
	c := cluster(t)
	r := reader(t, c, dir)
	all := entries(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	killed := sync.OnceFunc(func() { go c.Kill() })
	err := r.Read(ctx, parts(all), func(tree.Piece) error {
		killed()
		return nil
	})
	if sluice.ErrorCode(err) != sluice.Unavailable {
		t.Fatal(err)
	}
	if again := entries(t, reader(t, c, dir)); len(again) != len(all) || c.Made() != 2 {
		t.Errorf("after %d pods: %v", c.Made(), again)
	}
}

// Only the newest writer of a volume writes.
func TestAnEarlierWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	c := cluster(t)
	early, late := writer(t, c, dir), writer(t, c, dir)
	file := []tree.Entry{{Path: "f", Kind: tree.File, Size: 3}}
	must(t, late.Make(t.Context(), file))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := early.Make(ctx, file); err == nil {
		t.Error("a cancelled call succeeds")
	}
	if err := early.Make(t.Context(), file); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Error(err)
	}
}

func TestErrorsNameTheClaim(t *testing.T) {
	c := cluster(t)
	gone := filepath.Join(t.TempDir(), "gone")
	work := transfer(c, sluice.TransferCopy, t.TempDir(), gone)
	r, err := remote.New(c.Bench(beside.Options{})).Reader(t.Context(), work, work.Volumes[1])
	if err == nil {
		_, err = r.Size(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "claim-1") {
		t.Errorf("the error is %v", err)
	}
}

func TestOnlyEmptyVolumesAreFilled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "theirs")
	c := cluster(t)
	if _, err := create(t, c, dir); sluice.ErrorCode(err) != sluice.Conflict || sluice.ErrorHint(err) == "" {
		t.Error(err)
	}
}
