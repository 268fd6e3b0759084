package kopia

import (
	"context"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"

	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// known looks up content of earlier copies of a volume: first in what an interrupted copy left, then in the last whole
// one. Nothing depends on it: an earlier copy that cannot be read is as good as none.
type known struct {
	rep     repo.Repository
	earlier []*cursor
}

// A cursor reads one index as far as it was asked for.
type cursor struct {
	rows rows
	at   row
	over bool
}

func (m *Mover) known(ctx context.Context, indexes ...string) *known {
	k := &known{rep: m.rep}
	for _, text := range indexes {
		index, err := object.ParseID(text)
		if err != nil || text == "" {
			continue
		}
		if rows, err := openIndex(ctx, m.rep, index); err == nil {
			c := &cursor{rows: rows}
			c.step()
			k.earlier = append(k.earlier, c)
		}
	}
	return k
}

// segments returns what is known of the file from the offset on. A segment whose content is gone has no sum. Calls come
// in the order of an index.
func (k *known) segments(ctx context.Context, path string, offset int64) []segment {
	var all []segment
	for _, c := range k.earlier {
		if found := c.find(path, offset); len(found) > len(all) {
			all = append(all, found[len(all):]...)
		}
	}
	for i, s := range all {
		if !k.has(ctx, s.Object) {
			all[i].Sum = tree.Sum{}
		}
	}
	return all
}

func (k *known) has(ctx context.Context, id object.ID) bool {
	content, _, direct := id.ContentID()
	if !direct {
		return false
	}
	info, err := k.rep.ContentInfo(ctx, content)
	return err == nil && !info.Deleted
}

func (c *cursor) find(path string, offset int64) []segment {
	for !c.over {
		order := tree.Compare(c.at.Path, path)
		if order == 0 && c.at.Offset == offset {
			return c.at.Segments
		}
		if order > 0 || order == 0 && c.at.Offset > offset {
			return nil
		}
		c.step()
	}
	return nil
}

func (c *cursor) step() {
	r, err := c.rows.next()
	c.at, c.over = r, err != nil
}
