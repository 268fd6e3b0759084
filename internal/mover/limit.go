package mover

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// Limit returns a mover that passes on a report only when the last one is older than every. The first is
// passed on at once, and the last one before the call returns. Its report functions may be nil, and are never called
// from two goroutines at once.
func Limit(m sluice.Mover, every time.Duration) sluice.Mover {
	return limited{m, every}
}

type limited struct {
	sluice.Mover
	every time.Duration
}

func (l limited) Follow(ctx context.Context, t sluice.Transfer, report func(sluice.Amount)) (sluice.Copy, error) {
	if report == nil {
		report = func(sluice.Amount) {}
	}
	g := &gate{pass: report, every: l.every}
	defer g.flush()
	return l.Mover.Follow(ctx, t, g.report)
}

// gate holds back reports that come too soon, and keeps the latest of them for flush.
type gate struct {
	mu     sync.Mutex
	pass   func(sluice.Amount)
	every  time.Duration
	passed time.Time
	held   *sluice.Amount
}

func (g *gate) report(a sluice.Amount) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.passed) >= g.every {
		g.passed = now
		g.held = nil
		g.pass(a)
		return
	}
	g.held = &a
}

func (g *gate) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		g.pass(*g.held)
		g.held = nil
	}
}
