package engine

import (
	"sync"
	"time"
)

// settled is how long a message of an undo has to stand before it is recorded.
const settled = 2 * time.Second

// A notice records the messages of an undo that stand for a while: what it waits for.
type notice struct {
	record func(message string)

	mu      sync.Mutex
	message string // the last one
	timer   *time.Timer
}

// take takes a message instead of the one before.
func (n *notice) take(message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if message == n.message {
		return
	}
	n.message = message
	if n.timer != nil {
		n.timer.Stop()
	}
	n.timer = time.AfterFunc(settled, func() { n.record(message) })
}
