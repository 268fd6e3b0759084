package kopia

import (
	"cmp"
	"context"
	"io/fs"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/kopia/kopia/fs/localfs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/policy"
	"github.com/kopia/kopia/snapshot/upload"

	"github.com/sluice-cd/sluice"
)

const (
	tagCheckpoint = "sluice:checkpoint"
	tagVolume     = "sluice:volume" // its place in the list and its claim
	tagAdded      = "sluice:added"  // by how much the repository grew

	// part is what one goroutine reads of a large file, so that a database in one file keeps every core busy.
	part = 64 << 20
	// save is how often an upload records what it has sent, in case the process dies.
	save = 15 * time.Second
)

// copy makes one snapshot of each volume. It reads all content, whatever the times of the files say: a database may
// change a file within one tick of the clock, or through a memory map.
func (m *Mover) copy(ctx context.Context, t sluice.Transfer, p *meter) (sluice.Copy, error) {
	total, err := size(ctx, t.Volumes)
	if err != nil {
		return sluice.Copy{}, err
	}
	if err := m.refresh(ctx); err != nil {
		return sluice.Copy{}, err
	}
	p.expect(total)
	list := make([]*snapshot.Manifest, len(t.Volumes))
	for i, v := range t.Volumes {
		if list[i], err = m.copyVolume(ctx, source(t.ID, i, v.Claim), v, p); err != nil {
			return sluice.Copy{}, err
		}
	}
	return describe(list, t.Volumes), nil
}

// describe returns the copy that the snapshots of the volumes are.
func describe(list []*snapshot.Manifest, volumes []sluice.Volume) sluice.Copy {
	c := sluice.Copy{Mover: Name}
	for i, s := range list {
		added, _ := strconv.ParseInt(s.Tags[tagAdded], 10, 64) // absent only if another program made the snapshot
		c.Snapshots = append(c.Snapshots, string(s.ID))
		c.Claims = append(c.Claims, volumes[i].Claim)
		c.Added += added
		if sum := s.RootEntry.DirSummary; sum != nil {
			c.Bytes += sum.TotalFileSize
			c.Files += sum.TotalFileCount
		}
	}
	return c
}

// made returns the copy if the repository has a whole snapshot of every volume.
func (m *Mover) made(ctx context.Context, t sluice.Transfer) (c sluice.Copy, whole bool, err error) {
	if err := m.refresh(ctx); err != nil {
		return c, false, err
	}
	list := make([]*snapshot.Manifest, len(t.Volumes))
	for i, v := range t.Volumes {
		list[i], _, err = m.find(ctx, source(t.ID, i, v.Claim))
		if err != nil || list[i] == nil {
			return c, false, err
		}
	}
	return describe(list, t.Volumes), len(list) > 0, nil
}

// source names the volume's snapshots in the repository. Each copy has its own sources, so that no rule about how
// many snapshots of a source stay can ever remove one of them.
func source(id string, i int, claim string) snapshot.SourceInfo {
	path := folder(id) + strconv.Itoa(i) + "-" + label(claim)
	return snapshot.SourceInfo{Host: identity, UserName: identity, Path: path}
}

// folder is the folder with the sources of one copy.
func folder(id string) string { return "/" + label(id) + "/" }

func (m *Mover) copyVolume(
	ctx context.Context, from snapshot.SourceInfo, v sluice.Volume, p *meter,
) (*snapshot.Manifest, error) {
	done, unfinished, err := m.find(ctx, from)
	if err == nil && done == nil {
		if done, err = m.upload(ctx, from, v, p); err == nil {
			_, unfinished, err = m.find(ctx, from) // those that this upload saved in between
		}
	}
	if err != nil {
		return nil, err
	}
	return done, m.forget(ctx, unfinished)
}

// find returns the source's snapshot, nil if there is none, and what interrupted uploads left. If two processes made
// the snapshot at the same time, both choose the same one.
func (m *Mover) find(
	ctx context.Context, from snapshot.SourceInfo,
) (done *snapshot.Manifest, unfinished []*snapshot.Manifest, err error) {
	all, err := snapshot.ListSnapshots(ctx, m.rep, from)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range all {
		switch {
		case s.IncompleteReason != "":
			unfinished = append(unfinished, s)
		case done == nil || cmp.Or(s.StartTime.ToTime().Compare(done.StartTime.ToTime()), cmp.Compare(s.ID, done.ID)) < 0:
			done = s
		}
	}
	return done, unfinished, nil
}

func (m *Mover) upload(
	ctx context.Context, from snapshot.SourceInfo, v sluice.Volume, p *meter,
) (*snapshot.Manifest, error) {
	if v.Dir == "" {
		return nil, sluice.Errorf(sluice.Unsupported, "the volume of the claim %s cannot be read from here", v.Claim).
			WithHint("choose a mover of the cluster's own for this dataset, such as csi")
	}
	dir, err := localfs.Directory(v.Dir)
	if err != nil {
		return nil, err
	}
	var added atomic.Int64
	var made *snapshot.Manifest
	session := repo.WriteSessionOptions{Purpose: "copy", FlushOnFailure: true, OnUpload: func(n int64) { added.Add(n) }}
	err = repo.WriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.RepositoryWriter) error {
		up := upload.NewUploader(w)
		up.Progress = p
		up.FailFast = true
		up.DisableIgnoreRules = true
		up.ForceHashPercentage = 100
		up.CheckpointInterval = save
		stop := context.AfterFunc(ctx, up.Cancel)
		defer stop()
		made, err = up.Upload(ctx, dir, policies(), from)
		if err != nil {
			return err
		}
		if made.IncompleteReason != "" {
			return cmp.Or(ctx.Err(), context.Canceled)
		}
		if n := made.Stats.ErrorCount + made.Stats.IgnoredErrorCount; n > 0 && unread(made) {
			return sluice.Errorf(sluice.Failed, "%d files of the claim %s could not be read", n, v.Claim)
		}
		if err := w.Flush(ctx); err != nil {
			return err
		}
		made.Tags = map[string]string{
			tagCheckpoint: from.Path, tagVolume: label(v.Claim), tagAdded: strconv.FormatInt(added.Load(), 10),
		}
		made.Pins = []string{identity}
		_, err = snapshot.SaveSnapshot(ctx, w, made)
		return err
	})
	return made, err
}

// unread reports whether the snapshot misses more than sockets, pipes and devices, which have no content.
func unread(s *snapshot.Manifest) bool {
	return s.RootEntry.DirSummary == nil || s.RootEntry.DirSummary.FatalErrorCount > 0
}

func policies() *policy.Tree {
	p := *policy.DefaultPolicy
	p.CompressionPolicy.CompressorName = "zstd-fastest"
	p.MetadataCompressionPolicy.CompressorName = "zstd-fastest"
	above := policy.OptionalInt64(part)
	p.UploadPolicy.ParallelUploadAboveSize = &above
	threads := policy.OptionalInt(runtime.NumCPU())
	p.UploadPolicy.MaxParallelFileReads = &threads
	return policy.BuildTree(nil, &p)
}

func (m *Mover) forget(ctx context.Context, list []*snapshot.Manifest) error {
	if len(list) == 0 {
		return nil
	}
	session := repo.WriteSessionOptions{Purpose: "forget"}
	return repo.WriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.RepositoryWriter) error {
		for _, s := range list {
			if err := w.DeleteManifest(ctx, manifest.ID(s.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// size returns how many bytes the volumes' files have. A name that is not UTF-8 is refused: kopia would keep
// another one.
func size(ctx context.Context, volumes []sluice.Volume) (int64, error) {
	var total int64
	for _, v := range volumes {
		if v.Dir == "" {
			continue
		}
		err := filepath.WalkDir(v.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !utf8.ValidString(d.Name()) {
				return sluice.Errorf(sluice.Unsupported, "the claim %s holds a file whose name is not UTF-8: %q", v.Claim, path).
					WithHint("rename it, or choose another mover for this dataset")
			}
			if !d.Type().IsRegular() {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			total += info.Size()
			return ctx.Err()
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}
