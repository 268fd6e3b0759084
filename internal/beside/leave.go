package beside

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// leavePatience is how long the removal of a Job may take in the background.
const leavePatience = time.Minute

// Leave ends a Job as End does, and does not wait until it is gone. The next Job in its namespace does: there may be no
// room for both. A Job that cannot be removed ends by itself.
func (b *Bench) Leave(at sluice.Place, name string) {
	b.leaving.begin(at, func() {
		ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
		defer cancel()
		_ = b.end(ctx, at, name) // see above
	})
}

// Close returns when every Job that was left is gone.
func (b *Bench) Close() { b.leaving.running.Wait() }

// leaving are the Jobs that are being removed in the background.
type leaving struct {
	running sync.WaitGroup

	mu   sync.Mutex
	last map[string]chan struct{} // by namespace: closed when its Jobs are gone
}

func namespaceOf(at sluice.Place) string { return at.Name + "/" + at.Namespace }

func (l *leaving) begin(at sluice.Place, remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, gone := l.last[namespaceOf(at)], make(chan struct{})
	l.last[namespaceOf(at)] = gone
	l.running.Go(func() {
		remove()
		if before != nil {
			<-before
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.last[namespaceOf(at)] == gone {
			delete(l.last, namespaceOf(at))
		}
		close(gone)
	})
}

// wait returns when no Job of the namespace is being removed.
func (l *leaving) wait(ctx context.Context, at sluice.Place) error {
	l.mu.Lock()
	gone := l.last[namespaceOf(at)]
	l.mu.Unlock()
	if gone == nil {
		return nil
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return sluice.Errorf(sluice.Unavailable, "a Job of Sluice in the namespace %s is not gone yet: %w", at.Namespace,
			ctx.Err()).WithHint("look at it with: kubectl --namespace %s get jobs --selector %s", at.Namespace, sluice.WorkLabel)
	}
}
