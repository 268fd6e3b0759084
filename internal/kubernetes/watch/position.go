package watch

import (
	"context"
	"sync"
	"time"
)

// A position is how far a store knows the changes of its kind. The versions of objects of one cluster are ordered, as
// controllers rely on, so a store that is at a version knows what led to it. It is safe for concurrent use.
type position struct {
	mu      sync.Mutex
	version uint64
	pending bool          // the first list of a watch has begun
	current bool          // the connection delivers changes, and has delivered those since it broke last
	expired int           // how often something happened whose version is not known
	renewed int           // up to which of these the store was filled again
	moved   chan struct{} // closed when the position changes
}

func newPosition() *position { return &position{moved: make(chan struct{})} }

// advance says that the store knows everything up to the version, but perhaps not what came after it.
func (p *position) advance(version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version = max(p.version, numeric(version))
	p.move()
}

// reach is advance to a version that was the newest one just now.
func (p *position) reach(version string) {
	p.advance(version)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.pending = true, false
	p.move()
}

// pend says that a watch begins, which lists first.
func (p *position) pend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = true
}

// lose says that the connection broke. The first events on a new one tell what the store missed, so it is current again
// only after a list or a bookmark.
func (p *position) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.pending = false, false
	p.move()
}

// expire says that something happened that the store may not know.
func (p *position) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired++
}

// begin returns what to pass to renew when a list that begins now has filled the store.
func (p *position) begin() (expired int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expired
}

func (p *position) renew(expired int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renewed = max(p.renewed, expired)
}

func (p *position) move() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// isCurrent reports whether the store follows the changes.
func (p *position) isCurrent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isFollowing()
}

// isListed reports whether a watch has listed.
func (p *position) isListed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.pending
}

func (p *position) isFollowing() bool { return p.current && p.expired == p.renewed }

// changes returns a channel that is closed when the position changes.
func (p *position) changes() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved
}

// await waits until a watch that begins has listed, and then a while for the version. It reports whether the store is
// current and at the version.
func (p *position) await(ctx context.Context, version uint64, atMost time.Duration) bool {
	var over <-chan time.Time
	for {
		p.mu.Lock()
		pending, current, reached, moved := p.pending, p.isFollowing(), p.version >= version, p.moved
		p.mu.Unlock()
		if !pending && (!current || reached) {
			return current
		}
		if !pending && over == nil {
			over = time.After(atMost)
		}
		select {
		case <-moved:
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
