package sqlite

import (
	"context"
	"errors"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// A peers tells the processes that use one store about each other. They share a small file beside the store and lock
// bytes of it: every process that listens for changes locks byte 0, and each lease locks a byte chosen by the
// deployment's id. The locks belong to the open file, so the system frees them when the process is killed, they hold
// between two Stores of one process, and there is no file for each deployment to clear away.
//
// A process that commits writes to the file if another process listens, which a watch on the file notices. A watch on
// the write-ahead log would come too early: a commit shows only after the log was written and synced.
type peers struct {
	file *os.File // nil if the store was opened for reading only before it was ever shared

	mu        sync.Mutex
	topics    map[topic]chan struct{} // closed at the next change
	leases    map[sluice.DeploymentID]*lease
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
	p := &peers{topics: map[topic]chan struct{}{}, leases: map[sluice.DeploymentID]*lease{}}
	file, err := os.OpenFile(path+"-peers", flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) && flags == os.O_RDONLY {
		return p, nil
	}
	p.file = file
	return p, err
}

// lock locks or, with unix.F_UNLCK, frees a byte of the file. It reports false if another process holds it.
func (p *peers) lock(kind int16, offset int64) (bool, error) {
	_, err := p.control(unix.F_OFD_SETLK, kind, offset)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// isLocked reports whether another process prevents such a lock.
func (p *peers) isLocked(kind int16, offset int64) (bool, error) {
	if p.file == nil {
		return false, nil
	}
	found, err := p.control(unix.F_OFD_GETLK, kind, offset)
	return found != unix.F_UNLCK, err
}

// control does something to a byte while the file cannot be closed.
func (p *peers) control(command int, kind int16, offset int64) (found int16, err error) {
	l := unix.Flock_t{Type: kind, Start: offset, Len: 1}
	c, err := p.file.SyscallConn()
	if err != nil {
		return l.Type, err
	}
	closed := c.Control(func(fd uintptr) { err = unix.FcntlFlock(fd, command, &l) })
	return l.Type, errors.Join(err, closed)
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
	if heard, err := p.isLocked(unix.F_WRLCK, 0); heard || err != nil {
		_, _ = p.file.WriteAt([]byte{0}, 0) // if it fails, others notice a little later
	}
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
	if _, err := p.lock(unix.F_RDLCK, 0); err != nil || w.Add(p.file.Name()) != nil {
		_ = w.Close()
		return
	}
	p.watcher = w
	go func() {
		for {
			select {
			case _, ok := <-w.Events:
				if !ok {
					return
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
	p.mu.Lock()
	leases, watcher := slices.Collect(maps.Values(p.leases)), p.watcher
	clear(p.leases)
	p.listening, p.watcher = true, nil // nothing listens from now on
	p.mu.Unlock()
	for _, l := range leases {
		close(l.lost)
	}
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

// A lease is the lock of one byte.
type lease struct {
	peers *peers
	id    sluice.DeploymentID
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
	p := s.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.leases[id] == nil
	if free {
		var err error
		if free, err = p.lock(unix.F_WRLCK, byteOf(id)); err != nil {
			return nil, storeError(err, "lease a deployment of", s.path)
		}
	}
	if !free {
		return nil, sluice.Errorf(sluice.Conflict, "deployment %s is already being run", id)
	}
	l := &lease{peers: p, id: id, lost: make(chan struct{})}
	p.leases[id] = l
	return l, nil
}

// Leased implements [sluice.Leases].
func (s *Store) Leased(_ context.Context, id sluice.DeploymentID) (bool, error) {
	s.peers.mu.Lock()
	own := s.peers.leases[id] != nil
	s.peers.mu.Unlock()
	if own {
		return true, nil
	}
	held, err := s.peers.isLocked(unix.F_RDLCK, byteOf(id))
	return held, storeError(err, "look at the leases of", s.path)
}

// byteOf returns the byte that stands for the deployment. Two ids share one so rarely that nobody will see the
// Conflict.
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
	if l.peers.leases[l.id] != l {
		return nil
	}
	delete(l.peers.leases, l.id)
	_, err := l.peers.lock(unix.F_UNLCK, byteOf(l.id))
	return storeError(err, "release a lease in", l.peers.file.Name())
}
