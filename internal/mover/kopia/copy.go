package kopia

import (
	"cmp"
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

const (
	tagCheckpoint = "sluice:checkpoint"
	tagVolume     = "sluice:volume" // its place in the list and its claim
	tagAdded      = "sluice:added"  // by how much the repository grew
	tagOrigin     = "sluice:origin" // account, namespace and claim
	tagIndex      = "sluice:index"  // the object that is the index of the volume
)

// A volume is one of a copy.
type volume struct {
	sluice.Volume
	data, index snapshot.SourceInfo
	origin      string
	from        tree.Reader
	size        tree.Size
}

func volumes(t sluice.Transfer) []volume {
	all := make([]volume, len(t.Volumes))
	for i, v := range t.Volumes {
		name := strconv.Itoa(i) + "-" + label(v.Claim)
		all[i] = volume{
			Volume: v, data: source(folder(t.ID) + name), index: source(folder(t.ID) + "index/" + name),
			origin: label(t.Place.Name + "/" + t.Place.Namespace + "/" + v.Claim),
		}
	}
	return all
}

// source names snapshots in the repository. Each copy has its own sources, so that no rule about how many snapshots of
// a source stay can ever remove one of them.
func source(path string) snapshot.SourceInfo {
	return snapshot.SourceInfo{Host: identity, UserName: identity, Path: path}
}

// folder is the folder with the sources of one copy.
func folder(id string) string { return "/" + label(id) + "/" }

// copy makes one snapshot of each volume. It reads all content, whatever the times of the files say: a database may
// change a file within one tick of the clock, or through a memory map.
func (m *Mover) copy(ctx context.Context, t sluice.Transfer, p *meter) (sluice.Copy, error) {
	if c, whole, err := m.made(ctx, t); whole || err != nil {
		return c, err
	}
	all := volumes(t)
	defer closeAll(all)
	var total int64
	for i := range all {
		if err := m.measure(ctx, t, &all[i]); err != nil {
			return sluice.Copy{}, err
		}
		total += all[i].size.Bytes
	}
	p.expect(total)
	list := make([]*snapshot.Manifest, len(all))
	for i := range all {
		var err error
		if list[i], err = m.copyVolume(ctx, &all[i], p); err != nil {
			return sluice.Copy{}, err
		}
	}
	return describe(list, t.Volumes), nil
}

// measure opens the volume and asks for its size.
func (m *Mover) measure(ctx context.Context, t sluice.Transfer, v *volume) (err error) {
	switch {
	case v.Dir != "":
		v.from, err = tree.Open(v.Volume)
	case m.options.Reader != nil:
		v.from, err = m.options.Reader(ctx, t, v.Volume)
	default:
		err = outOfReach(v.Claim)
	}
	if err != nil {
		return err
	}
	v.size, err = v.from.Size(ctx)
	return err
}

func outOfReach(claim string) error {
	return sluice.Errorf(sluice.Unsupported, "the volume of the claim %s cannot be reached from here", claim).
		WithHint("choose a mover of the cluster's own for this dataset, such as csi")
}

func closeAll(all []volume) {
	for _, v := range all {
		if v.from != nil {
			_ = v.from.Close() // only read
		}
	}
}

// describe returns the copy that the snapshots of the volumes are.
func describe(list []*snapshot.Manifest, volumes []sluice.Volume) sluice.Copy {
	c := sluice.Copy{Mover: Name}
	for i, s := range list {
		added, _ := strconv.ParseInt(s.Tags[tagAdded], 10, 64) // absent only if another program made the snapshot
		size := sizeOf(s)
		c.Snapshots = append(c.Snapshots, string(s.ID))
		c.Claims = append(c.Claims, volumes[i].Claim)
		c.Added += added
		c.Bytes += size.Bytes
		c.Files += size.Files
	}
	return c
}

// sizeOf returns what the volume of the snapshot held. kopia counts a file once for each of its names.
func sizeOf(s *snapshot.Manifest) (size tree.Size) {
	if s.Tags[tagIndex] != "" {
		return tree.Size{Bytes: s.Stats.TotalFileSize, Files: int64(s.Stats.TotalFileCount)}
	}
	if sum := s.RootEntry.DirSummary; sum != nil {
		return tree.Size{Bytes: sum.TotalFileSize, Files: sum.TotalFileCount}
	}
	return size
}

// made returns the copy if the repository has a whole snapshot of every volume.
func (m *Mover) made(ctx context.Context, t sluice.Transfer) (c sluice.Copy, whole bool, err error) {
	if err := m.refresh(ctx); err != nil {
		return c, false, err
	}
	all := volumes(t)
	list := make([]*snapshot.Manifest, len(all))
	for i, v := range all {
		list[i], _, err = m.find(ctx, v.data)
		if err != nil || list[i] == nil {
			return c, false, err
		}
	}
	return describe(list, t.Volumes), len(list) > 0, nil
}

func (m *Mover) copyVolume(ctx context.Context, v *volume, p *meter) (*snapshot.Manifest, error) {
	done, unfinished, err := m.find(ctx, v.data)
	if err == nil && done == nil {
		done, err = m.upload(ctx, v, p)
	}
	if err != nil {
		return nil, err
	}
	_, partial, err := m.find(ctx, v.index) // also those that this upload saved in between
	if err != nil {
		return nil, err
	}
	return done, m.forget(ctx, append(unfinished, partial...))
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

func (m *Mover) upload(ctx context.Context, v *volume, p *meter) (made *snapshot.Manifest, err error) {
	earlier, err := m.earlier(ctx, v)
	if err != nil {
		return nil, err
	}
	var added atomic.Int64
	begun := time.Now()
	session := repo.WriteSessionOptions{Purpose: "copy", FlushOnFailure: true, OnUpload: func(n int64) { added.Add(n) }}
	err = repo.WriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.RepositoryWriter) error {
		u := &sending{
			to: w, from: v.from, known: m.known(ctx, earlier...), meter: p, shape: newShape(w),
			keep: func(ctx context.Context, index object.ID) error {
				if _, err := saveIndex(ctx, w, v, index, "interrupted"); err != nil {
					return err
				}
				return w.Flush(ctx)
			},
		}
		index, err := u.run(ctx)
		if err != nil {
			return m.fault("copy", err)
		}
		root, err := u.shape.finish(ctx)
		if err != nil {
			return err
		}
		if err := w.Flush(ctx); err != nil { // so that all that was added is counted
			return err
		}
		if _, err := saveIndex(ctx, w, v, index, ""); err != nil {
			return err
		}
		made = manifestOf(v.data, root, begun)
		made.Stats = snapshot.Stats{TotalFileSize: v.size.Bytes, TotalFileCount: int32(v.size.Files)}
		made.Tags = map[string]string{
			tagCheckpoint: v.data.Path, tagVolume: label(v.Claim), tagAdded: strconv.FormatInt(added.Load(), 10),
			tagOrigin: v.origin, tagIndex: index.String(),
		}
		_, err = snapshot.SaveSnapshot(ctx, w, made)
		return err
	})
	return made, err
}

func manifestOf(from snapshot.SourceInfo, root *snapshot.DirEntry, begun time.Time) *snapshot.Manifest {
	return &snapshot.Manifest{
		Source: from, RootEntry: root, Pins: []string{identity},
		StartTime: fs.UTCTimestampFromTime(begun), EndTime: fs.UTCTimestampFromTime(time.Now()),
	}
}

// saveIndex saves a snapshot that holds the index alone, because kopia removes what no snapshot holds.
func saveIndex(
	ctx context.Context, w repo.RepositoryWriter, v *volume, index object.ID, incomplete string,
) (manifest.ID, error) {
	var dir snapshotfs.DirManifestBuilder
	dir.AddEntry(dirEntry(tree.Entry{Path: "index", Mode: 0o600}, snapshot.EntryTypeFile, index))
	now := time.Now()
	m := dir.Build(fs.UTCTimestampFromTime(now), incomplete)
	id, err := snapshotfs.WriteDirManifest(ctx, w, v.index.Path, m, compressor)
	if err != nil {
		return "", err
	}
	root := dirEntry(tree.Entry{Path: tree.Root, Mode: 0o700, ModTime: now}, snapshot.EntryTypeDirectory, id)
	root.DirSummary = m.Summary
	s := manifestOf(v.index, root, now)
	s.IncompleteReason = incomplete
	s.Tags = map[string]string{tagVolume: label(v.Claim), tagIndex: index.String()}
	return snapshot.SaveSnapshot(ctx, w, s)
}

// earlier returns the indexes of what an interrupted upload of the volume left, and of the last copy of the same claim.
func (m *Mover) earlier(ctx context.Context, v *volume) (indexes []string, err error) {
	_, partial, err := m.find(ctx, v.index)
	if err != nil {
		return nil, err
	}
	var longest int64
	for _, s := range partial {
		if at := s.StartTime.ToTime().UnixNano(); at > longest {
			longest, indexes = at, []string{s.Tags[tagIndex]}
		}
	}
	found, err := m.rep.FindManifests(ctx, map[string]string{
		manifest.TypeLabelKey: snapshot.ManifestType, tagOrigin: v.origin,
	})
	var last *manifest.EntryMetadata
	for _, e := range found {
		if last == nil || e.ModTime.After(last.ModTime) {
			last = e
		}
	}
	if last != nil {
		indexes = append(indexes, last.Labels[tagIndex])
	}
	return indexes, err
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
