package volume

import (
	"context"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

const (
	nudgeNote  = "sluice-cd.github.io/nudged"
	nudgeEvery = 2 * time.Second
)

// nudge changes a VolumeSnapshot that is being deleted now and then, until ctx ends. Its controller keeps it while a
// claim begins with it, and does not notice when that claim is gone: it looks again only when the snapshot changes, or
// after a quarter of an hour.
func (c objects) nudge(ctx context.Context, ref sluice.Ref) {
	again := time.NewTicker(nudgeEvery)
	defer again.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		_ = c.change(ctx, ref, func(o sluice.Object) sluice.Object { // the next one may succeed
			if o.Text("metadata", "deletionTimestamp") == "" {
				return nil
			}
			patch := sluice.Object{}
			patch.Set(strconv.Itoa(n), "metadata", "annotations", nudgeNote)
			return patch
		})
	}
}
