package remote

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// Offer lets Sluice read and fill the volumes of a Job, which are in their Dir:
//
//	POST /volumes/{i}/size                     →  what it holds
//	POST /volumes/{i}/entries                  →  one entry a line, the last line says how it ended
//	POST /volumes/{i}/read            parts    →  pieces
//	POST /volumes/{i}/writers         content  →  a new writer; earlier ones can no longer be used
//	POST /volumes/{i}/make            entries  →  nothing; and so seal
//	POST /volumes/{i}/write           pieces   →  nothing
func Offer(mux *http.ServeMux, volumes []sluice.Volume) {
	for i, v := range volumes {
		o := &offer{volume: v}
		at := "/volumes/" + strconv.Itoa(i)
		beside.Handle(mux, at+"/size", o.size)
		mux.HandleFunc("POST "+at+"/entries", o.entries)
		mux.HandleFunc("POST "+at+"/read", o.read)
		beside.Handle(mux, at+"/writers", o.create)
		beside.Handle(mux, at+"/make", o.make)
		beside.Handle(mux, at+"/seal", o.seal)
		mux.HandleFunc("POST "+at+"/write", o.write)
	}
}

// An offer is one volume of a Job.
type offer struct {
	volume sluice.Volume

	mu     sync.Mutex
	key    string // of the writer
	writer tree.Writer
}

type nothing = struct{}

func (o *offer) size(ctx context.Context, _ nothing, _ func(sluice.Amount)) (s tree.Size, err error) {
	r, err := tree.Open(o.volume)
	if err != nil {
		return s, err
	}
	defer func() { _ = r.Close() }() // only read
	return r.Size(ctx)
}

// An entryLine is one line of a list of entries.
type entryLine struct {
	*tree.Entry
	End   bool          `json:"end,omitempty"`
	Error *beside.Fault `json:"error,omitempty"`
}

func (o *offer) entries(w http.ResponseWriter, r *http.Request) {
	from, err := tree.Open(o.volume)
	if err != nil {
		beside.WriteError(w, err)
		return
	}
	defer func() { _ = from.Close() }() // only read
	out := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(out)
	err = from.Entries(r.Context(), func(e tree.Entry) error { return lines.Encode(entryLine{Entry: &e}) })
	last := entryLine{End: err == nil}
	if err != nil {
		last.Error = beside.FaultOf(err)
	}
	_ = lines.Encode(last) // a caller that went away does not want it
	_ = out.Flush()
}

func (o *offer) read(w http.ResponseWriter, r *http.Request) {
	var parts []tree.Part
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxParts)).Decode(&parts); err != nil {
		beside.WriteError(w, malformed("parts that are no JSON"))
		return
	}
	from, err := tree.Open(o.volume)
	if err != nil {
		beside.WriteError(w, err)
		return
	}
	defer func() { _ = from.Close() }() // only read
	var mu sync.Mutex
	err = from.Read(r.Context(), parts, func(p tree.Piece) error {
		mu.Lock()
		defer mu.Unlock()
		return writeFrame(w, frame{Piece: p})
	})
	last := frame{End: err == nil}
	if err != nil {
		last.Error = beside.FaultOf(err)
	}
	_ = writeFrame(w, last) // a caller that went away does not want it
}

// An opened writer is known by its key.
type opened struct {
	Key  string `json:"key"`
	Left bool   `json:"left,omitempty"` // there is something of the same content
}

// create makes a writer, which ends the one before.
func (o *offer) create(ctx context.Context, content string, _ func(sluice.Amount)) (made opened, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writer != nil {
		_ = o.writer.Close() // nobody can use it any more
		o.key, o.writer = "", nil
	}
	w, err := tree.Create(ctx, o.volume, content)
	if err != nil {
		return made, err
	}
	o.key, o.writer = rand.Text(), w
	return opened{o.key, w.Left() != nil}, nil
}

// with returns the writer with the key. Another one, or another pod, may have taken its place.
func (o *offer) with(key string) (tree.Writer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writer == nil || o.key != key {
		return nil, sluice.Errorf(sluice.Unavailable, "the volume is no longer open for this caller")
	}
	return o.writer, nil
}

// A change is a call of a writer.
type change struct {
	Key     string       `json:"key"`
	Entries []tree.Entry `json:"entries"`
}

func (o *offer) make(ctx context.Context, c change, _ func(sluice.Amount)) (n nothing, err error) {
	w, err := o.with(c.Key)
	if err != nil {
		return n, err
	}
	return n, w.Make(ctx, c.Entries)
}

func (o *offer) seal(ctx context.Context, c change, _ func(sluice.Amount)) (n nothing, err error) {
	w, err := o.with(c.Key)
	if err != nil {
		return n, err
	}
	return n, w.Seal(ctx, c.Entries)
}

func (o *offer) write(w http.ResponseWriter, r *http.Request) {
	to, err := o.with(r.URL.Query().Get("key"))
	if err == nil {
		err = o.pieces(r.Context(), to, r.Body)
	}
	if err != nil {
		beside.WriteError(w, err)
	}
}

// pieces writes one piece after another, as they arrive.
func (o *offer) pieces(ctx context.Context, to tree.Writer, from io.Reader) error {
	buffer, _ := buffers.Get().(*[tree.Segment]byte)
	defer buffers.Put(buffer)
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		f, err := readFrame(in, buffer[:])
		if err != nil {
			return broken(err)
		}
		if f.End {
			return nil
		}
		if err := to.Write(ctx, []tree.Piece{f.Piece}); err != nil {
			return err
		}
	}
}

// buffers hold a segment each.
var buffers = sync.Pool{New: func() any { return new([tree.Segment]byte) }}

// maxParts bounds the parts of one call.
const maxParts = 32 << 20
