package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/zeebo/xxh3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// A peers tells the processes that use one store about each other. They share a small file beside the store and lock
// bytes of it: every process that listens for changes locks byte 0, and each lease locks a byte chosen by the
// deployment's id. The file also holds a mark: how far the log was written.
//
// A process that commits writes to the file if another process listens, which a watch on the file notices. A watch on
// the write-ahead log would come too early: a commit shows only after the log was written and synced.
type peers struct {
	file  *os.File // nil if the store was opened for reading only before it was ever shared
	locks *locks   // nil if file is

	mu        sync.Mutex
	topics    map[topic]chan struct{} // closed at the next change
	leases    map[int64]*lease        // by byte
	gone      error                   // why no lease can be taken any more
	watcher   *fsnotify.Watcher
	listening bool
}

// A topic is something in the store that changes: the events, the letters, or the answer to the letter with that
// number.
type topic int64

const (
	events  topic = -1
	letters topic = -2
)

// patience is how long a change may go unnoticed: if a process is killed after it committed and before it told others,
// or if the system has no more watches.
const patience = time.Second

func openPeers(path string, flags int) (*peers, error) {
	p := &peers{topics: map[topic]chan struct{}{}, leases: map[int64]*lease{}}
	if real, err := filepath.EvalSymlinks(path); err == nil { // one store has one such file
		path = real
	}
	file, err := os.OpenFile(path+"-peers", flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) && flags == os.O_RDONLY {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.file, p.locks = file, newLocks(file)
	return p, nil
}

// isRemoved reports whether the file of this process is no longer the one that others would open.
func (p *peers) isRemoved() bool {
	open, err := p.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(p.file.Name())
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return !os.SameFile(open, named)
}

// changed returns a channel that is closed when the topic changes next.
func (p *peers) changed(t topic) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.topics[t] == nil {
		p.topics[t] = make(chan struct{})
	}
	return p.topics[t]
}

// wait returns when the topic may have changed; false: ctx has ended.
func (p *peers) wait(ctx context.Context, changed <-chan struct{}) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// tell tells this process, and others that listen, that topics have changed.
func (p *peers) tell(topics []topic) {
	p.wake(topics)
	if heard, err := p.locks.taken(0, false); heard || err != nil {
		_, _ = p.file.WriteAt([]byte{0}, 0) // if it fails, others notice a little later
	}
}

// The mark is the position of the event that was committed last. It stands in the file behind the byte that wakes
// others, with a checksum. It is not synced: after a power failure it may be older than the log, which is synced, but
// never newer.
const (
	markAt   = 8
	markSize = 16
)

// setMark writes the mark. If that fails, the mark stays older than the log, which is harmless.
func (p *peers) setMark(position int64) {
	b := binary.LittleEndian.AppendUint64(nil, uint64(position))
	_, _ = p.file.WriteAt(binary.LittleEndian.AppendUint64(b, xxh3.Hash(b)), markAt)
}

// mark returns 0 if there is none, as in a file of an earlier version or after a power failure.
func (p *peers) mark() int64 {
	b := make([]byte, markSize)
	if p.file == nil {
		return 0
	}
	if _, err := p.file.ReadAt(b, markAt); err != nil || xxh3.Hash(b[:8]) != binary.LittleEndian.Uint64(b[8:]) {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b))
}

func (p *peers) wake(topics []topic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range topics {
		if c := p.topics[t]; c != nil {
			close(c)
			delete(p.topics, t)
		}
	}
}

func (p *peers) wakeAll() {
	p.mu.Lock()
	all := slices.Collect(maps.Keys(p.topics))
	p.mu.Unlock()
	p.wake(all)
}

// listen begins to notice the changes of other processes. It does so before the caller looks at the store, so that each
// change is either seen or told.
func (p *peers) listen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listening || p.file == nil {
		return
	}
	p.listening = true
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return // patience has to do
	}
	if _, err := p.locks.take(0, true); err != nil || w.Add(p.file.Name()) != nil {
		_ = w.Close()
		return
	}
	p.watcher = w
	go func() {
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if !e.Has(fsnotify.Write) && p.isRemoved() {
					p.lose(p.removedError())
				}
			case _, ok := <-w.Errors: // events were lost
				if !ok {
					return
				}
			}
			p.wakeAll()
		}
	}()
}

// close ends the leases and all waiting.
func (p *peers) close() error {
	p.lose(errClosed)
	p.mu.Lock()
	watcher := p.watcher
	p.listening, p.watcher = true, nil // nothing listens from now on
	p.mu.Unlock()
	var err error
	if watcher != nil {
		err = watcher.Close()
	}
	if p.file != nil {
		err = errors.Join(err, p.file.Close())
	}
	p.wakeAll()
	return err
}

var errClosed = sluice.Errorf(sluice.Cancelled, "the store is closed")

func (p *peers) removedError() error {
	return sluice.Errorf(sluice.Unavailable, "the file %s was removed while it was in use", p.file.Name()).
		WithHint("end every sluice that uses this store, then start again")
}

// lose tells the holders of leases that they have lost them, and refuses new ones.
func (p *peers) lose(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = reason
	for _, l := range p.leases {
		close(l.lost)
	}
	clear(p.leases)
	if p.file != nil {
		_ = p.locks.freeAll() // the system frees them when the file is closed, at the latest
	}
}

// A lease is the lock of one byte.
type lease struct {
	peers *peers
	byte  int64
	lost  chan struct{}
}

// Lease implements [sluice.Leases].
func (s *Store) Lease(ctx context.Context, id sluice.DeploymentID) (sluice.Lease, error) {
	if s.writer == nil {
		return nil, s.readOnlyError()
	}
	if err := ctx.Err(); err != nil {
		return nil, storeError(err, "lease a deployment of", s.path)
	}
	l, err := s.peers.lease(byteOf(id))
	if err != nil {
		return nil, storeError(err, "lease a deployment of", s.path)
	}
	if l == nil {
		return nil, appending.Leased(id)
	}
	return l, nil
}

// lease locks the byte. It returns nil if anybody holds it.
func (p *peers) lease(at int64) (*lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gone != nil:
		return nil, p.gone
	case p.leases[at] != nil:
		return nil, nil
	case p.isRemoved():
		return nil, p.removedError()
	}
	if free, err := p.locks.take(at, false); !free || err != nil {
		return nil, err
	}
	l := &lease{peers: p, byte: at, lost: make(chan struct{})}
	p.leases[at] = l
	return l, nil
}

// Leased implements [sluice.Leases].
func (s *Store) Leased(_ context.Context, id sluice.DeploymentID) (bool, error) {
	p, at := s.peers, byteOf(id)
	p.mu.Lock()
	own := p.leases[at] != nil
	p.mu.Unlock()
	if own || p.file == nil {
		return own, nil
	}
	held, err := p.locks.taken(at, true)
	return held, storeError(err, "look at the leases of", s.path)
}

// byteOf returns the byte that stands for the deployment, one of 2^62. Two deployments that share a byte cannot run at
// the same time; nobody will ever see that.
func byteOf(id sluice.DeploymentID) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return int64(h.Sum64()>>2) + 1
}

// Lost implements [sluice.Lease].
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements [sluice.Lease].
func (l *lease) Release() error {
	l.peers.mu.Lock()
	defer l.peers.mu.Unlock()
	if l.peers.leases[l.byte] != l {
		return nil
	}
	delete(l.peers.leases, l.byte)
	return storeError(l.peers.locks.free(l.byte), "release a lease in", l.peers.file.Name())
}
