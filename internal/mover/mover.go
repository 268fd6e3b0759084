package mover

import (
	"time"

	"github.com/sluice-cd/sluice"
)

// Reports is how often a wrapped mover reports at most.
const Reports = 100 * time.Millisecond

// Wrap returns m as steps use it: what is Unavailable is tried again with growing pauses, and progress is
// reported a few times a second.
func Wrap(m sluice.Mover) sluice.Mover {
	return Limit(Retry(m, DefaultPauses), Reports)
}
