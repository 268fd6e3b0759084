package engine

import (
	"context"
	"sync"
	"time"
)

// settled is how long a message of an undo has to stand before it is recorded.
const settled = 2 * time.Second

// A notice records the messages of an undo that stand for a while: what it waits for.
type notice struct {
	changed bell
	mu      sync.Mutex
	message string // the last one
}

// take takes a message instead of the one before.
func (n *notice) take(message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if message != n.message {
		n.message = message
		n.changed.ring()
	}
}

func (n *notice) last() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.message
}

// follow calls record with every message that stands for a while, until ctx ends.
func (n *notice) follow(ctx context.Context, record func(message string)) {
	t := time.NewTimer(settled)
	defer t.Stop()
	t.Stop() // until there is a message
	for {
		select {
		case <-n.changed:
			t.Reset(settled)
		case <-t.C:
			record(n.last())
		case <-ctx.Done():
			return
		}
	}
}
