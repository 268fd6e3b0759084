package mover

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// Limit returns a mover that passes on a report only when the last one is older than every. The first is
// passed on at once, and the last one before the call returns, so that an end is never missed. Its report
// functions may be nil, and are never called from two goroutines at once.
func Limit(m sluice.Mover, every time.Duration) sluice.Mover {
	return limited{m, every}
}

type limited struct {
	next  sluice.Mover
	every time.Duration
}

func (l limited) Copy(ctx context.Context, id sluice.CheckpointID, volumes []sluice.Volume, report func(sluice.Amount)) (sluice.Copy, error) {
	g := l.gate(report)
	defer g.flush()
	return l.next.Copy(ctx, id, volumes, g.report)
}

func (l limited) Restore(ctx context.Context, c sluice.Copy, volumes []sluice.Volume, report func(sluice.Amount)) error {
	g := l.gate(report)
	defer g.flush()
	return l.next.Restore(ctx, c, volumes, g.report)
}

func (l limited) Verify(ctx context.Context, c sluice.Copy, report func(sluice.Amount)) error {
	g := l.gate(report)
	defer g.flush()
	return l.next.Verify(ctx, c, g.report)
}

func (l limited) Delete(ctx context.Context, c sluice.Copy) error {
	return l.next.Delete(ctx, c)
}

func (l limited) gate(report func(sluice.Amount)) *gate {
	if report == nil {
		report = func(sluice.Amount) {}
	}
	return &gate{pass: report, every: l.every}
}

// gate holds back the reports that come too soon; the latest one held back is kept for flush.
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
