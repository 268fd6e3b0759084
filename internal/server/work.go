package server

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// The bounds of works.
const (
	maxWorks   = 16               // that run
	keepWorks  = 10 * time.Minute // how long an outcome is kept for a caller whose connection broke
	maxEnded   = 1000             // outcomes that are kept
	maxMessage = 100              // messages of a work that are kept
)

// A Work is something long that a caller asked for. It goes on when the caller's connection breaks, and is interrupted
// only when the server stops. A request with the key of an earlier one of the same caller gets the work of the earlier
// one, also for a while after it has ended; if it asks for something else, it is Invalid. "" is no key. A server that
// is killed forgets its works: whatever is a Work can be interrupted at any time and asked for again.
type Work struct {
	asked   string
	mu      sync.Mutex
	said    []sluice.Progress // each has another message
	amount  *sluice.Progress
	changed chan struct{} // closed and replaced by every report
	done    chan struct{}
	endedAt time.Time
	result  any
	err     error
}

// Follow reports what the work says of itself, from its beginning, until it has ended or ctx ends. It returns the
// outcome of the work.
func (w *Work) Follow(ctx context.Context, report func(sluice.Progress)) (result any, err error) {
	heard := 0
	var counted *sluice.Progress
	for ended := false; !ended; {
		select {
		case <-w.done:
			ended = true // after a last look
		default:
		}
		w.mu.Lock()
		said, amount, changed := w.said[heard:], w.amount, w.changed
		w.mu.Unlock()
		for _, p := range said {
			report(p)
		}
		if heard += len(said); amount != counted {
			report(*amount)
			counted = amount
		}
		if ended {
			break
		}
		select {
		case <-changed:
		case <-w.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return w.result, w.err
}

func (w *Work) report(p sluice.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.Amount != nil:
		w.amount = &p
	case len(w.said) == maxMessage, len(w.said) > 0 && w.said[len(w.said)-1].Message == p.Message:
		return
	default:
		w.said = append(w.said, p)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// works are those of a server.
type works struct {
	mu     sync.Mutex
	ctx    context.Context // ends with the server
	cancel context.CancelFunc
	ended  bool
	byKey  map[string]*Work
	run    sync.WaitGroup
	runs   int
}

func newWorks() *works {
	w := &works{byKey: map[string]*Work{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// begin begins the work, or returns that of an earlier request with the key. Exhausted: too many works run already.
func (s *Server) begin(
	c access.Caller, key, asked string, do func(ctx context.Context, report func(sluice.Progress)) (any, error),
) (*Work, error) {
	all := s.works
	all.mu.Lock()
	defer all.mu.Unlock()
	if key != "" {
		key = c.Actor.Identity + "\x00" + c.Actor.Name + "\x00" + key
	}
	all.forget(s.Now())
	before, found := all.byKey[key]
	switch {
	case found && before.asked == asked:
		return before, nil
	case found:
		return nil, sluice.Errorf(sluice.Invalid, "this idempotency key was used for something else").
			WithHint("use a new key for each request")
	case all.ended:
		return nil, sluice.Errorf(sluice.Unavailable, "this server is about to stop").WithHint("try again")
	case all.runs == maxWorks:
		return nil, sluice.Errorf(sluice.Exhausted, "the server does %d other things already", all.runs).
			WithHint("try again when they have ended")
	}
	w := &Work{asked: asked, changed: make(chan struct{}), done: make(chan struct{})}
	if key != "" {
		all.byKey[key] = w
	}
	all.runs++
	all.run.Go(func() {
		result, err := do(all.ctx, w.report)
		if all.ctx.Err() != nil && err != nil {
			err = sluice.Errorf(sluice.Unavailable, "the server stopped before this was done").WithHint("try again")
		}
		all.mu.Lock()
		all.runs--
		w.endedAt, w.result, w.err = s.Now(), result, err
		all.mu.Unlock()
		close(w.done)
	})
	return w, nil
}

// forget drops outcomes that are old, or too many.
func (all *works) forget(now time.Time) {
	for key, w := range all.byKey {
		old := now.Sub(w.endedAt) > keepWorks || len(all.byKey) > maxEnded
		if !w.endedAt.IsZero() && old {
			delete(all.byKey, key)
		}
	}
}

// Close interrupts the works and returns when they have ended.
func (s *Server) Close() {
	s.works.mu.Lock()
	s.works.ended = true
	s.works.mu.Unlock()
	s.works.cancel()
	s.works.run.Wait()
}
