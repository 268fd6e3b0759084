package kopia

import (
	"sync"

	"github.com/kopia/kopia/snapshot/upload"

	"github.com/sluice-cd/sluice"
)

// A meter counts bytes over all volumes of one call and reports them. It is kopia's Progress of an upload as well.
// Never more than the total is reported, although kopia counts the targets of symbolic links too.
type meter struct {
	upload.NullUploadProgress
	mu     sync.Mutex
	amount sluice.Amount
	report func(sluice.Amount)
}

func newMeter(total int64, report func(sluice.Amount)) *meter {
	if report == nil {
		report = func(sluice.Amount) {}
	}
	return &meter{amount: sluice.Amount{Unit: "bytes", Total: total}, report: report}
}

// HashedBytes implements upload.Progress.
func (p *meter) HashedBytes(n int64) { p.add(n) }

func (p *meter) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(n)
}

// count wants the lock.
func (p *meter) count(n int64) {
	p.amount.Done += n
	shown := p.amount
	shown.Done = min(shown.Done, shown.Total)
	p.report(shown)
}

// Write implements io.Writer for content that is only read.
func (p *meter) Write(b []byte) (int, error) {
	p.add(int64(len(b)))
	return len(b), nil
}
