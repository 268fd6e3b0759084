package kopia

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// A shape makes the directories and files of a plain kopia snapshot from the rows of an index. kopia knows neither hard
// links nor extended attributes: a link becomes one more file with the same content.
type shape struct {
	to     repo.RepositoryWriter
	open   []*directory                  // the root and those below it that lead to the last row
	linked map[string]*snapshot.DirEntry // the files that have more names
	file   *contents                     // the file whose rows are not complete
	root   *snapshot.DirEntry            // once it is complete
}

type directory struct {
	tree.Entry
	snapshotfs.DirManifestBuilder
}

func newShape(to repo.RepositoryWriter) *shape {
	return &shape{to: to, linked: map[string]*snapshot.DirEntry{}}
}

func (s *shape) close() {
	if s.file != nil {
		s.file.close()
	}
}

func (s *shape) add(ctx context.Context, r *row) error {
	if err := s.leave(ctx, r.Path); err != nil {
		return err
	}
	switch r.Kind {
	case tree.Dir:
		s.open = append(s.open, &directory{Entry: r.Entry})
		return nil
	case tree.File:
		return s.addFile(ctx, r)
	case tree.Link:
		first := s.linked[r.Target]
		if first == nil {
			return fmt.Errorf("the link %s is to %s, which did not come before", r.Path, r.Target)
		}
		again := first.Clone()
		again.Name = path.Base(r.Path)
		return s.put(again)
	}
	id, err := writeObject(ctx, s.to, []byte(r.Target))
	if err != nil {
		return err
	}
	e := dirEntry(r.Entry, snapshot.EntryTypeSymlink, id)
	e.FileSize = int64(len(r.Target))
	return s.put(e)
}

func (s *shape) put(e *snapshot.DirEntry) error {
	if len(s.open) == 0 {
		return fmt.Errorf("%s came before its directory", e.Name)
	}
	s.open[len(s.open)-1].AddEntry(e)
	return nil
}

// leave completes the directories that do not hold the path.
func (s *shape) leave(ctx context.Context, path string) error {
	for len(s.open) > 0 && !holds(s.open[len(s.open)-1].Path, path) {
		last := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		m := last.Build(fs.UTCTimestampFromTime(last.ModTime), "")
		id, err := snapshotfs.WriteDirManifest(ctx, s.to, last.Path, m, compressor)
		if err != nil {
			return err
		}
		e := dirEntry(last.Entry, snapshot.EntryTypeDirectory, id)
		e.DirSummary = m.Summary
		if len(s.open) == 0 {
			s.root = e
			return nil
		}
		s.open[len(s.open)-1].AddEntry(e)
	}
	return nil
}

// holds reports whether the path is below the directory.
func holds(dir, path string) bool {
	return path != "" && (dir == tree.Root || strings.HasPrefix(path, dir+"/"))
}

// finish completes all directories and returns the root.
func (s *shape) finish(ctx context.Context) (*snapshot.DirEntry, error) {
	err := s.leave(ctx, "")
	if err == nil && s.root == nil {
		err = fmt.Errorf("the volume has no root")
	}
	return s.root, err
}

func dirEntry(e tree.Entry, t snapshot.EntryType, id object.ID) *snapshot.DirEntry {
	return &snapshot.DirEntry{
		Name: path.Base(e.Path), Type: t, Permissions: snapshot.Permissions(e.Mode), FileSize: e.Size,
		ModTime: fs.UTCTimestampFromTime(e.ModTime), UserID: e.UID, GroupID: e.GID, ObjectID: id,
	}
}

func (s *shape) addFile(ctx context.Context, r *row) (err error) {
	if r.Offset == 0 {
		s.file = &contents{entry: r.Entry}
	}
	if err := s.file.add(ctx, s.to, r); err != nil || r.end() < r.Size {
		return err
	}
	id, err := s.file.finish(ctx, s.to)
	if err != nil {
		return err
	}
	e := dirEntry(s.file.entry, snapshot.EntryTypeFile, id)
	if s.file.entry.Linked {
		s.linked[s.file.entry.Path] = e
	}
	s.file = nil
	return s.put(e)
}

// contents makes one object from the segments of a file. kopia would read them all to concatenate them, so the list of
// them is written here, as kopia writes it.
type contents struct {
	entry tree.Entry
	first object.ID
	list  object.Writer // nil while there is one segment at most
	text  *bufio.Writer
}

func (c *contents) add(ctx context.Context, to repo.RepositoryWriter, r *row) error {
	if r.Size <= tree.Segment {
		if len(r.Segments) > 0 {
			c.first = r.Segments[0].Object
		}
		return nil
	}
	if c.list == nil {
		c.list = to.NewObjectWriter(ctx, object.WriterOptions{
			Description: "LIST", Prefix: "x", Compressor: compressor, MetadataCompressor: compressor,
		})
		c.text = bufio.NewWriter(c.list)
		_, _ = c.text.WriteString(`{"stream":"kopia:indirect","entries":[`) // finish returns its errors
	}
	for i, s := range r.Segments {
		at := r.Offset + int64(i)*tree.Segment
		if at > 0 {
			_ = c.text.WriteByte(',')
		}
		raw, err := json.Marshal(object.IndirectObjectEntry{
			Start: at, Length: min(tree.Segment, r.Size-at), Object: s.Object,
		})
		if err != nil {
			return err
		}
		_, _ = c.text.Write(raw)
	}
	return nil
}

func (c *contents) finish(ctx context.Context, to repo.RepositoryWriter) (object.ID, error) {
	if c.list == nil {
		if c.first == object.EmptyID {
			return writeObject(ctx, to, nil)
		}
		return c.first, nil
	}
	defer c.close()
	_, _ = c.text.WriteString("]}\n")
	if err := c.text.Flush(); err != nil {
		return object.EmptyID, err
	}
	id, err := c.list.Result()
	if err != nil {
		return id, err
	}
	return object.ParseID("I" + id.String())
}

func (c *contents) close() {
	if c.list != nil {
		_ = c.list.Close() // Result has returned its errors
	}
}
