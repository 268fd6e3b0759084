package mover

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// Reports is how often a wrapped mover reports at most.
const Reports = 100 * time.Millisecond

// Wrap returns m as steps use it: calls that are Unavailable are tried again with growing pauses, and progress is
// reported a few times a second.
func Wrap(m sluice.Mover) sluice.Mover {
	return Limit(Retry(m, DefaultPauses), Reports)
}

// Run begins the transfer and follows it to its end. A transfer that is under way is only followed.
func Run(ctx context.Context, m sluice.Mover, t sluice.Transfer, report func(sluice.Amount)) (sluice.Copy, error) {
	if err := m.Begin(ctx, t); err != nil {
		return sluice.Copy{}, err
	}
	return m.Follow(ctx, t, report)
}
