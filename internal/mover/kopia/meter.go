package kopia

import (
	"sync"

	"github.com/sluice-cd/sluice"
)

// A meter counts bytes over all volumes of one transfer and reports them to the caller of Follow. Never more than the
// total is reported.
type meter struct {
	mu     sync.Mutex
	amount sluice.Amount
	report func(sluice.Amount) // nil: nobody follows
}

// expect sets how many bytes there will be.
func (p *meter) expect(total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.amount = sluice.Amount{Unit: "bytes", Total: total}
}

// follow reports to another function from now on, and first what was counted before.
func (p *meter) follow(report func(sluice.Amount)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report = report
	if p.amount.Done > 0 {
		p.count(0)
	}
}

func (p *meter) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(n)
}

// count needs the lock.
func (p *meter) count(n int64) {
	p.amount.Done += n
	if p.report == nil {
		return
	}
	shown := p.amount
	shown.Done = min(shown.Done, shown.Total)
	p.report(shown)
}
