package remote

import (
	"encoding/binary"
	"encoding/json"
	"io"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// A frame is a piece, or the end of a stream of pieces. On the wire its header is JSON after its length, and the
// piece's data follows.
type frame struct {
	tree.Piece
	Size  int           `json:"size,omitempty"` // of the data
	End   bool          `json:"end,omitempty"`
	Error *beside.Fault `json:"error,omitempty"`
}

// maxHeader bounds a header: a path, or an error.
const maxHeader = 64 << 10

func writeFrame(w io.Writer, f frame) error {
	data := f.Data
	f.Data, f.Size = nil, len(data)
	header, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(header) > maxHeader {
		return sluice.Errorf(sluice.Unsupported, "the path %.200s is too long", f.Path)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(header))) //nolint:gosec // it is bounded
	if _, err := w.Write(append(head, header...)); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// readFrame reads a frame, its data into the buffer. It reads no more than the buffer and a header can hold.
func readFrame(r io.Reader, buffer []byte) (f frame, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxHeader {
		return f, malformed("a header of %d bytes", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return f, err
	}
	if err := json.Unmarshal(header, &f); err != nil {
		return f, malformed("a header that is no JSON")
	}
	if f.Size < 0 || f.Size > len(buffer) || len(f.Data) > 0 {
		return f, malformed("a piece of %d bytes", f.Size)
	}
	if f.Size > 0 {
		f.Data = buffer[:f.Size]
		_, err = io.ReadFull(r, f.Data)
	}
	return f, err
}

// malformed is the error of a side that does not keep to the protocol. A retry would not heal it.
func malformed(format string, args ...any) error {
	return sluice.Errorf(sluice.Failed, "the other side sent "+format, args...).
		WithHint("both sides must run the same version of Sluice: look at accounts.NAME.job.image in sluice.yaml")
}
