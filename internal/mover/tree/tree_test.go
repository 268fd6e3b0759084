package tree_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

func volume(dir string) sluice.Volume { return sluice.Volume{Claim: "data", Dir: dir} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func reader(t *testing.T, dir string) tree.Reader {
	t.Helper()
	r, err := tree.Open(volume(dir))
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

func writer(t *testing.T, dir string) tree.Writer {
	t.Helper()
	w, err := tree.Create(t.Context(), volume(dir), "")
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func entries(t *testing.T, r tree.Reader) (all []tree.Entry) {
	t.Helper()
	must(t, r.Entries(t.Context(), func(e tree.Entry) error {
		all = append(all, e)
		return nil
	}))
	return all
}

func write(t *testing.T, name, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(content), 0o600))
}

// copyTree copies a volume as a repository does, but in one process and at once.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	r, w := reader(t, from), writer(t, to)
	all := entries(t, r)
	must(t, w.Make(t.Context(), all))
	var parts []tree.Part
	for _, e := range all {
		if e.Kind == tree.File {
			parts = append(parts, tree.Part{Path: e.Path, Length: e.Size})
		}
	}
	must(t, r.Read(t.Context(), parts, func(p tree.Piece) error {
		if p.Data == nil {
			return nil
		}
		return w.Write(t.Context(), []tree.Piece{p})
	}))
	slices.Reverse(all)
	must(t, w.Seal(t.Context(), all))
}

func TestATreeComesBackAsItWas(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "deep", "er", "plain"), "plain")
	write(t, filepath.Join(a, "empty"), "")
	must(t, os.Mkdir(filepath.Join(a, "lost+found"), 0o700))
	must(t, os.Link(filepath.Join(a, "deep", "er", "plain"), filepath.Join(a, "other name")))
	must(t, os.Symlink("/nowhere", filepath.Join(a, "dangling")))
	must(t, syscall.Mkfifo(filepath.Join(a, "pipe"), 0o600))
	must(t, os.WriteFile(filepath.Join(a, "tool"), []byte("#!"), 0o600))
	must(t, os.Chmod(filepath.Join(a, "tool"), 0o755|os.ModeSetuid))
	must(t, os.Chmod(filepath.Join(a, "deep"), 0o1711|os.ModeSticky))
	must(t, unix.Setxattr(filepath.Join(a, "tool"), "user.note", []byte("kept\x00"), 0))
	must(t, unix.Setxattr(filepath.Join(a, "deep"), "user.empty", nil, 0))
	sparse, err := os.Create(filepath.Join(a, "sparse"))
	must(t, err)
	_, err = sparse.WriteAt([]byte("end"), 5*tree.Segment)
	must(t, err)
	must(t, sparse.Close())
	old := time.Unix(1e9, 123456789)
	must(t, os.Chtimes(filepath.Join(a, "deep"), old, old))
	if os.Geteuid() == 0 {
		must(t, os.Lchown(filepath.Join(a, "dangling"), 12, 34))
		must(t, os.Chown(filepath.Join(a, "empty"), 56, 78))
	}
	copyTree(t, a, b)
	want := entries(t, reader(t, a))
	if diff := cmp.Diff(want, entries(t, reader(t, b))); diff != "" {
		t.Errorf("it came back otherwise: %s", diff)
	}
	var paths []string
	for _, e := range want {
		paths = append(paths, e.Path)
	}
	if diff := cmp.Diff([]string{".", "dangling", "deep", "deep/er", "deep/er/plain", "empty", "other name", "sparse",
		"tool"}, paths); diff != "" {
		t.Error(diff)
	}
	raw, err := os.ReadFile(filepath.Join(b, "other name"))
	if err != nil || string(raw) != "plain" {
		t.Errorf("%q, %v", raw, err)
	}
	size, err := reader(t, b).Size(t.Context())
	if diff := cmp.Diff(tree.Size{Bytes: 5 + 2 + 5*tree.Segment + 3, Files: 5}, size); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
}

func TestOnlyWhatIsNotKnownIsPassedOn(t *testing.T) {
	dir := t.TempDir()
	content := strings.Repeat("a", tree.Segment) + strings.Repeat("\x00", tree.Segment) + strings.Repeat("b", 10)
	write(t, filepath.Join(dir, "f"), content)
	r := reader(t, dir)
	read := func(known ...tree.Sum) (sums []tree.Sum, sent map[int64]string) {
		sums, sent = make([]tree.Sum, 3), map[int64]string{}
		var mu sync.Mutex
		must(t, r.Read(t.Context(), []tree.Part{{Path: "f", Length: int64(len(content)), Known: known}},
			func(p tree.Piece) error {
				mu.Lock()
				defer mu.Unlock()
				sums[p.Offset/tree.Segment] = p.Sum
				if p.Data != nil {
					sent[p.Offset] = string(p.Data[:1])
				}
				return nil
			}))
		return sums, sent
	}
	sums, sent := read()
	if diff := cmp.Diff(map[int64]string{0: "a", 2 * tree.Segment: "b"}, sent); diff != "" {
		t.Errorf("first: %s", diff)
	}
	again, sent := read(sums...)
	if diff := cmp.Diff(sums, again); diff != "" || len(sent) > 0 {
		t.Errorf("again: %s, sent %v", diff, sent)
	}
	if _, sent = read(sums[0], sums[1], sums[0]); len(sent) != 1 {
		t.Errorf("sent %v", sent)
	}
	raw, err := json.Marshal(sums)
	must(t, err)
	var back []tree.Sum
	must(t, json.Unmarshal(raw, &back))
	if diff := cmp.Diff(sums, back); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatShrankIsNamed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "short")
	var taken atomic.Int64
	err := reader(t, dir).Read(t.Context(), []tree.Part{{Path: "f", Length: 100}}, func(tree.Piece) error {
		taken.Add(1)
		return nil
	})
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "file f of the claim data") ||
		taken.Load() > 0 {
		t.Errorf("%v after %d pieces", err, taken.Load())
	}
}

func TestOnlyAnEmptyOrHalfFilledVolumeIsFilled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "theirs")
	if _, err := tree.Create(t.Context(), volume(dir), ""); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("a volume with a file: %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, "f")))
	must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	half := writer(t, dir)
	must(t, half.Make(t.Context(), []tree.Entry{{Path: "f", Kind: tree.File, Size: 3}}))
	err := reader(t, dir).Entries(t.Context(), func(tree.Entry) error { return nil })
	if sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("reading a half-filled volume: %v", err)
	}
	whole := writer(t, dir)
	must(t, whole.Seal(t.Context(), []tree.Entry{{Path: tree.Root, Kind: tree.Dir, Mode: 0o755}}))
	if all := entries(t, reader(t, dir)); len(all) != 1 {
		t.Errorf("what the first one made is there: %v", all)
	}
}

func TestNothingIsWrittenOutsideTheVolume(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "f"), "theirs")
	w := writer(t, dir)
	must(t, w.Make(t.Context(), []tree.Entry{
		{Path: "out", Kind: tree.Symlink, Target: outside}, {Path: "up", Kind: tree.Symlink, Target: "../../../.."},
		{Path: "file", Kind: tree.Symlink, Target: filepath.Join(outside, "f")},
	}))
	for _, name := range []string{
		"out/f", "up/tmp/f", "file", "../f", filepath.Join(outside, "f"), "a/../../f", "", "out",
	} {
		for _, kind := range []tree.Kind{tree.File, tree.Dir, tree.Symlink, tree.Link} {
			e := tree.Entry{Path: name, Kind: kind, Target: "out/f", Mode: 0o777, Size: 1}
			if err := w.Make(t.Context(), []tree.Entry{e}); err == nil && (kind != tree.Symlink || name[0] == '/') {
				t.Errorf("%s %q was made", kind, name)
			}
			if err := w.Seal(t.Context(), []tree.Entry{e}); err == nil && kind != tree.Link && kind != tree.Symlink {
				t.Errorf("%s %q was sealed", kind, name)
			}
		}
		if err := w.Write(t.Context(), []tree.Piece{{Path: name, Data: []byte("x")}}); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	raw, err := os.ReadFile(filepath.Join(outside, "f"))
	info, _ := os.Stat(filepath.Join(outside, "f"))
	if err != nil || string(raw) != "theirs" || info.Mode() != 0o600 {
		t.Errorf("the file outside is %q, %v, %v", raw, info.Mode(), err)
	}
	if list, _ := os.ReadDir(outside); len(list) != 1 {
		t.Errorf("outside there are %v", list)
	}
}

func TestANameThatIsNotTextIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "not \xff text"), "")
	err := reader(t, dir).Entries(t.Context(), func(tree.Entry) error { return nil })
	if sluice.ErrorCode(err) != sluice.Unsupported {
		t.Error(err)
	}
}

func TestCompareOrdersAsATreeIsWalked(t *testing.T) {
	order := []string{".", "-", "a", "a/b", "a/b/c", "a/b.c", "a.b", "a.b/c", "ab", "b"}
	for i, a := range order {
		for j, b := range order {
			if got, want := tree.Compare(a, b), sign(i-j); sign(got) != want {
				t.Errorf("%s and %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }
