package kopia

import (
	"bufio"
	"context"
	"encoding/json"
	"io"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"

	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// run is how many segments a row of an index holds at most.
const run = 256

// A row of an index is an entry of the volume with the first segments of its content. More segments of the same file
// follow in rows with an offset. The rows of an index are in the order of tree.Compare, so that two indexes can be
// compared without holding either in memory.
type row struct {
	tree.Entry
	Offset   int64     `json:"offset,omitempty"`
	Segments []segment `json:"segments,omitempty"`
}

// A segment is the content at one place of a file.
type segment struct {
	Sum    tree.Sum  `json:"sum"`
	Object object.ID `json:"object"`
}

// end is where the row's segments end in the file.
func (r *row) end() int64 { return min(r.Size, r.Offset+int64(len(r.Segments))*tree.Segment) }

// readIndex passes on the rows of an index.
func readIndex(ctx context.Context, rep repo.Repository, index object.ID, visit func(row) error) error {
	rows, err := openIndex(ctx, rep, index)
	if err != nil {
		return err
	}
	for {
		r, err := rows.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(r); err != nil {
			return err
		}
	}
}

// rows reads an index from its beginning to its end.
type rows struct{ from *json.Decoder }

func openIndex(ctx context.Context, rep repo.Repository, index object.ID) (rows, error) {
	r, err := rep.OpenObject(ctx, index) // an object needs no closing
	if err != nil {
		return rows{}, err
	}
	return rows{json.NewDecoder(bufio.NewReader(r))}, nil
}

func (r rows) next() (n row, err error) {
	err = r.from.Decode(&n)
	return n, err
}
