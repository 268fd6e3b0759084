package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

const (
	maxCall    = 1 << 20  // of a call for hashes
	maxKey     = 17 << 20 // a document without a key is its own
	maxFailure = 64 << 10
)

// Keys and hashes are sent one after another: the length of the key and one, the key, 16 bytes of hash. A 0 ends them,
// and a failure in JSON follows.
type failure struct {
	Code    sluice.Code `json:"code,omitempty"` // "": none
	Message string      `json:"message,omitempty"`
	Hint    string      `json:"hint,omitempty"`
}

func failureOf(err error) failure {
	if err == nil {
		return failure{}
	}
	return failure{sluice.ErrorCode(err), err.Error(), sluice.ErrorHint(err)}
}

func (f failure) error() error {
	if f.Code == "" {
		return nil
	}
	return &sluice.Error{Code: f.Code, Message: f.Message, Hint: f.Hint}
}

// hashes answers with the keys and hashes of the selection.
func (h *handler) hashes(w http.ResponseWriter, r *http.Request) {
	var c hashesCall
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall)).Decode(&c); err != nil {
		beside.WriteError(w, sluice.Errorf(sluice.Invalid, "the call for hashes cannot be read: %w", err))
		return
	}
	s := &sender{to: bufio.NewWriterSize(w, 64<<10)}
	err := h.with(r.Context(), c.target, func(db sluice.Database) error {
		source, ok := db.(fingerprint.Source)
		if !ok {
			return unable(c.target, "compared")
		}
		return source.Hashes(r.Context(), c.Selection, s.send)
	})
	s.end(failureOf(err))
}

// A sender is safe for concurrent use.
type sender struct {
	mu      sync.Mutex
	to      *bufio.Writer
	scratch []byte
}

func (s *sender) send(key []byte, hash fingerprint.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scratch = binary.AppendUvarint(s.scratch[:0], uint64(len(key)+1))
	s.scratch = append(s.scratch, key...)
	s.scratch = binary.BigEndian.AppendUint64(s.scratch, hash.Hi)
	s.scratch = binary.BigEndian.AppendUint64(s.scratch, hash.Lo)
	_, err := s.to.Write(s.scratch)
	return err
}

// end does not return errors: then nobody reads the answer.
func (s *sender) end(f failure) {
	_ = s.to.WriteByte(0)
	_ = json.NewEncoder(s.to).Encode(f)
	_ = s.to.Flush()
}

// Hashes implements [fingerprint.Source].
func (d *database) Hashes(ctx context.Context, s fingerprint.Selection,
	visit func(key []byte, hash fingerprint.Hash) error) error {
	body, err := json.Marshal(hashesCall{d.target, s})
	if err != nil {
		return sluice.Errorf(sluice.Internal, "the call for hashes cannot be written as JSON: %w", err)
	}
	answer, err := d.session.Do(ctx, http.MethodPost, pathHashes, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	err = receive(bufio.NewReaderSize(answer.Body, 64<<10), visit)
	if ctx.Err() != nil {
		return sluice.Errorf(sluice.Cancelled, "stopped before the databases were compared: %w", ctx.Err())
	}
	return err
}

func receive(from *bufio.Reader, visit func(key []byte, hash fingerprint.Hash) error) error {
	var record []byte
	for {
		n, err := binary.ReadUvarint(from)
		if err != nil {
			return cutOff(err)
		}
		if n == 0 {
			return receiveEnd(from)
		}
		if n > maxKey {
			return sluice.Errorf(sluice.Failed, "the Job beside the database sent a key of %d bytes", n)
		}
		size := int(n) - 1
		if cap(record) < size+16 {
			record = make([]byte, size+16)
		}
		record = record[:size+16]
		if _, err := io.ReadFull(from, record); err != nil {
			return cutOff(err)
		}
		hash := fingerprint.Hash{
			Hi: binary.BigEndian.Uint64(record[size:]), Lo: binary.BigEndian.Uint64(record[size+8:]),
		}
		if err := visit(record[:size:size], hash); err != nil {
			return err
		}
	}
}

func receiveEnd(from io.Reader) error {
	var f failure
	if err := json.NewDecoder(io.LimitReader(from, maxFailure)).Decode(&f); err != nil {
		return cutOff(err)
	}
	return f.error()
}

// cutOff is the error of an answer without an end, unless the session has said more.
func cutOff(err error) error {
	if sluice.ErrorCode(err) != sluice.Internal {
		return err
	}
	return sluice.Errorf(sluice.Unavailable, "the Job beside the database does not answer: %w", err)
}
