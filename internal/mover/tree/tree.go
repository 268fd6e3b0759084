package tree

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/zeebo/blake3"
)

// Segment is the size of a file's segments in bytes. The last one of a file may be shorter.
const Segment = 4 << 20

// Root is the path of the volume's own directory.
const Root = "."

// A Kind says what an entry is.
type Kind string

// The kinds of entries. Pipes, sockets and devices have no content and are left out.
const (
	Dir     Kind = "dir"
	File    Kind = "file"
	Symlink Kind = "symlink"
	Link    Kind = "link" // another name of a file that came before
)

// An Entry is one name in a volume.
type Entry struct {
	Path    string            `json:"path"` // with slashes, relative to the volume
	Kind    Kind              `json:"kind"`
	Mode    fs.FileMode       `json:"mode,omitempty"` // permissions, setuid, setgid and sticky
	UID     uint32            `json:"uid,omitempty"`
	GID     uint32            `json:"gid,omitempty"`
	ModTime time.Time         `json:"modTime,omitzero"`
	Size    int64             `json:"size,omitempty"`   // of a file's content
	Sparse  bool              `json:"sparse,omitempty"` // parts of the file are holes
	Linked  bool              `json:"linked,omitempty"` // the file has more names
	Target  string            `json:"target,omitempty"` // of a symbolic link; of a link: the path that came before
	Xattrs  map[string][]byte `json:"xattrs,omitempty"` // extended attributes, of files and directories only
}

// A Size is what a volume holds.
type Size struct {
	Bytes int64 `json:"bytes"` // of the content of files; a file with several names counts once
	Files int64 `json:"files"`
}

// A Sum is the BLAKE3 hash of a segment. As text it is base64.
type Sum [32]byte

// SumOf returns the sum of a segment.
func SumOf(segment []byte) Sum { return blake3.Sum256(segment) }

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return base64.RawStdEncoding.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sum) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil || len(raw) != len(s) {
		return fmt.Errorf("%q is not the sum of a segment", text)
	}
	copy(s[:], raw)
	return nil
}

// A Part is a run of segments of one file.
type Part struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset,omitempty"` // a multiple of Segment
	Length int64  `json:"length"`
	Known  []Sum  `json:"known,omitempty"` // sums of its first segments whose content the caller has
}

// Segments returns how many segments the part has.
func (p Part) Segments() int { return int((p.Length + Segment - 1) / Segment) }

// A Piece is content of a file.
type Piece struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset,omitempty"`
	Length int64  `json:"length"`
	Sum    Sum    `json:"sum,omitzero"` // set by a Reader, whose pieces are segments
	Data   []byte `json:"data,omitempty"`
}

// A Reader reads a volume that nobody changes meanwhile. Its calls may be repeated, and made at the same time. Their
// memory depends on the largest directory and on the number of files with several names, not on the data.
//
// An error that a retry may heal is Unavailable. What cannot be kept is Unsupported. A file that changed is Failed.
type Reader interface {
	// Size returns how much Entries and Read will pass on.
	Size(ctx context.Context) (Size, error)
	// Entries passes on every entry, first that of the root, in the order of Compare.
	Entries(ctx context.Context, visit func(Entry) error) error
	// Read passes on every segment of the parts, in any order and from several goroutines at once. A segment whose sum
	// is known at its place has no data, and one that is all zeros has none either. The data is valid until take returns.
	Read(ctx context.Context, parts []Part, take func(Piece) error) error
	Close() error
}

// A Writer fills a volume. It was made for a volume that was empty, or half filled by another Writer; all else is a
// Conflict. A volume that is not finished bears a mark by which the next Writer knows it, and the content it gets. A
// Writer of the same content keeps what the one before left; any other removes it. Nothing is ever written outside the
// volume, whatever the paths, links and targets are.
//
// Calls may be repeated, and Write may be called at the same time. A full disk is Exhausted, an error that a retry may
// heal is Unavailable.
type Writer interface {
	// Left returns a reader of what the Writer before left, nil if there is nothing. Only its Read may be called, after
	// Make, and without a promise that the content is right. It ends with this Writer.
	Left() Reader
	// Make makes the entries in order, directories before what they hold. Files get their size, as one hole. An entry
	// that is there already keeps its content.
	Make(ctx context.Context, entries []Entry) error
	// Write writes the pieces at any offset into files that were made. What is not written stays a hole.
	Write(ctx context.Context, pieces []Piece) error
	// Seal sets owners, modes, times and extended attributes. A file's content, and all that a directory holds, was
	// written before. The root comes last: Seal waits until everything is on the disk, and removes the mark.
	Seal(ctx context.Context, entries []Entry) error
	Close() error
}

// Compare orders paths: a directory before what it holds, which comes before the directory's next sibling; siblings by
// their bytes.
func Compare(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == Root:
		return -1
	case b == Root:
		return 1
	}
	for {
		left, restA, moreA := strings.Cut(a, "/")
		right, restB, moreB := strings.Cut(b, "/")
		if left != right {
			return cmp.Compare(left, right)
		}
		if !moreA || !moreB {
			return cmp.Compare(len(restA), len(restB))
		}
		a, b = restA, restB
	}
}
