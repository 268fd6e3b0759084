package kopia

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/restore"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"github.com/sluice-cd/sluice"
)

// unfinished is a mark in a volume while it is filled. A volume with the mark holds only what an interrupted restore
// left.
const unfinished = ".sluice-restore-unfinished"

// restore fills the volumes. A volume that is not empty is a Conflict, unless it holds what an interrupted restore
// left; that is removed first.
func (m *Mover) restore(ctx context.Context, t sluice.Transfer, p *meter) (sluice.Copy, error) {
	snapshots, err := m.load(ctx, t.Copy)
	if err != nil {
		return t.Copy, err
	}
	if len(t.Volumes) != len(snapshots) {
		return t.Copy, sluice.Errorf(sluice.Invalid, "a copy of %d volumes cannot be restored into %d",
			len(snapshots), len(t.Volumes))
	}
	p.expect(t.Copy.Bytes)
	for i, s := range snapshots {
		if err := m.restoreVolume(ctx, s, t.Volumes[i], p); err != nil {
			return t.Copy, err
		}
	}
	return t.Copy, nil
}

func (m *Mover) restoreVolume(ctx context.Context, s *snapshot.Manifest, v sluice.Volume, p *meter) error {
	if v.Dir == "" {
		return sluice.Errorf(sluice.Unsupported, "the volume of the claim %s cannot be written from here", v.Claim).
			WithHint("choose a mover of the cluster's own for this dataset, such as csi")
	}
	if err := prepare(ctx, v); err != nil {
		return err
	}
	if err := m.fill(ctx, s, v, p); err != nil {
		return err
	}
	return settle(v.Dir, s.RootEntry.ModTime.ToTime())
}

// prepare makes sure that the volume is empty except for the mark.
func prepare(ctx context.Context, v sluice.Volume) error {
	entries, err := os.ReadDir(v.Dir)
	if err != nil {
		return err
	}
	mark := filepath.Join(v.Dir, unfinished)
	_, err = os.Lstat(mark)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil && len(entries) > 0 {
		first := entries[0].Name()
		return sluice.Errorf(sluice.Conflict, "the volume of the claim %s is not empty: it holds %s", v.Claim, first).
			WithHint("nothing is overwritten; restore into a new generation of the claim")
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return err
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e.Name() == unfinished {
			continue
		}
		if err := os.RemoveAll(filepath.Join(v.Dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mover) fill(ctx context.Context, s *snapshot.Manifest, v sluice.Volume, p *meter) error {
	root, err := snapshotfs.SnapshotRoot(m.rep, s)
	if err != nil {
		return m.damage(v.Claim, err)
	}
	out := &restore.FilesystemOutput{
		TargetPath: v.Dir, OverwriteDirectories: true, WriteSparseFiles: true, FlushFiles: true,
		SkipOwners: os.Geteuid() != 0,
	}
	if err := out.Init(ctx); err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	var before int64
	stats, err := restore.Entry(ctx, m.rep, out, root, restore.Options{
		Parallel: runtime.NumCPU(), RestoreDirEntryAtDepth: 1 << 30, Cancel: cancelled(ctx),
		ProgressCallback: p.since(&before),
	})
	if ctx.Err() != nil {
		return ctx.Err() // kopia calls a cancelled restore a success
	}
	if err != nil {
		return m.damage("the claim "+v.Claim, err)
	}
	p.add(stats.RestoredTotalFileSize - before)
	if sum := s.RootEntry.DirSummary; sum != nil && int64(stats.RestoredFileCount) != sum.TotalFileCount {
		return sluice.Errorf(sluice.Failed, "the claim %s has %d files after the restore, the copy has %d",
			v.Claim, stats.RestoredFileCount, sum.TotalFileCount)
	}
	return nil
}

// since turns kopia's running totals into what was added since the last call.
func (p *meter) since(before *int64) restore.ProgressCallback {
	return func(_ context.Context, s restore.Stats) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s.RestoredTotalFileSize <= *before { // callbacks of several goroutines may arrive out of order
			return
		}
		p.count(s.RestoredTotalFileSize - *before)
		*before = s.RestoredTotalFileSize
	}
}

func cancelled(ctx context.Context) chan struct{} {
	c := make(chan struct{})
	context.AfterFunc(ctx, func() { close(c) })
	return c
}

// settle removes the mark once everything else is on the disk, and restores the time of the root.
func settle(dir string, modified time.Time) error {
	if err := syncDir(dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, unfinished)); err != nil {
		return err
	}
	if err := os.Chtimes(dir, modified, modified); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // a volume's directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
