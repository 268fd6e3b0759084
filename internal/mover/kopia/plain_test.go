package kopia

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopia/kopia/fs/localfs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/policy"
	"github.com/kopia/kopia/snapshot/restore"
	"github.com/kopia/kopia/snapshot/snapshotfs"
	"github.com/kopia/kopia/snapshot/upload"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

func opened(t *testing.T) *Mover {
	t.Helper()
	m, err := Open(t.Context(), Options{
		Dir: t.TempDir(), CacheDir: t.TempDir(), Password: func(context.Context) (string, error) { return "sesame", nil },
	})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close(context.WithoutCancel(t.Context()))) })
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// planted returns a directory with a small file, an empty one, a large one, a link and a symbolic link.
func planted(t *testing.T) (dir string, content map[string]string) {
	t.Helper()
	dir = t.TempDir()
	large := strings.Repeat("0123456789abcdef", 9<<20/16)
	content = map[string]string{"small": "small", "empty": "", "deep/er/large": large, "link": "small", "symlink": "small"}
	must(t, os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o755))
	for _, name := range []string{"small", "empty", "deep/er/large"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content[name]), 0o640))
	}
	must(t, os.Link(filepath.Join(dir, "small"), filepath.Join(dir, "link")))
	must(t, os.Symlink("small", filepath.Join(dir, "symlink")))
	return dir, content
}

func holdsContent(t *testing.T, dir string, content map[string]string) {
	t.Helper()
	for name, want := range content {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(raw) != want {
			t.Errorf("%s has %d bytes, %v", name, len(raw), err)
		}
	}
}

func transferOf(kind sluice.TransferKind, id, dir string, c sluice.Copy) sluice.Transfer {
	v := sluice.Volume{Namespace: "n", Claim: "c", Generation: "g", Dir: dir}
	return sluice.Transfer{Kind: kind, ID: id, Volumes: []sluice.Volume{v}, Copy: c}
}

// Without Sluice, kopia gives the data back.
func TestKopiaItselfRestoresACopy(t *testing.T) {
	m := opened(t)
	dir, content := planted(t)
	c, err := mover.Run(t.Context(), m, transferOf(sluice.TransferCopy, "d", dir, sluice.Copy{}), nil)
	must(t, err)
	s, err := m.load(t.Context(), c)
	must(t, err)
	root, err := snapshotfs.SnapshotRoot(m.rep, s[0])
	must(t, err)
	to := t.TempDir()
	out := &restore.FilesystemOutput{TargetPath: to, OverwriteDirectories: true, SkipOwners: true}
	must(t, out.Init(t.Context()))
	stats, err := restore.Entry(t.Context(), m.rep, out, root, restore.Options{RestoreDirEntryAtDepth: 1 << 30})
	must(t, err)
	if stats.RestoredFileCount != 4 || stats.RestoredSymlinkCount != 1 {
		t.Errorf("kopia restored %+v", stats)
	}
	holdsContent(t, to, content)
	if list, _ := os.ReadDir(to); len(list) != 5 {
		t.Errorf("kopia restored %v", list)
	}
}

// Earlier versions let kopia itself read the directory. Such copies have no index.
func TestCopiesWithoutAnIndexComeBack(t *testing.T) {
	m := opened(t)
	dir, content := planted(t)
	c := copyAsBefore(t, m, dir)
	check := transferOf(sluice.TransferVerify, "v", "", c)
	if _, err := mover.Run(t.Context(), m, check, nil); err != nil {
		t.Error(err)
	}
	to := t.TempDir()
	if _, err := mover.Run(t.Context(), m, transferOf(sluice.TransferRestore, "r", to, c), nil); err != nil {
		t.Fatal(err)
	}
	holdsContent(t, to, content)
	again, err := mover.Run(t.Context(), m, transferOf(sluice.TransferCopy, "d", dir, sluice.Copy{}), nil)
	if err != nil || fmt.Sprint(again.Snapshots) != fmt.Sprint(c.Snapshots) || again.Bytes != c.Bytes {
		t.Errorf("the copy is not found again: %+v, it was %+v, %v", again, c, err)
	}
	must(t, m.Delete(t.Context(), sluice.Place{}, "d"))
}

func copyAsBefore(t *testing.T, m *Mover, dir string) sluice.Copy {
	t.Helper()
	local, err := localfs.Directory(dir)
	must(t, err)
	from := source("/d/0-c")
	var made *snapshot.Manifest
	err = repo.WriteSession(t.Context(), m.rep, repo.WriteSessionOptions{},
		func(ctx context.Context, w repo.RepositoryWriter) error {
			up := upload.NewUploader(w)
			made, err = up.Upload(ctx, local, policy.BuildTree(nil, policy.DefaultPolicy), from)
			if err != nil {
				return err
			}
			made.Tags = map[string]string{tagCheckpoint: from.Path, tagVolume: "c", tagAdded: "1"}
			_, err = snapshot.SaveSnapshot(ctx, w, made)
			return err
		})
	must(t, err)
	return describe([]*snapshot.Manifest{made}, []sluice.Volume{{Claim: "c"}})
}
