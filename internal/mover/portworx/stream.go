package portworx

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
)

// A change is one state of an object that is watched, or the error that ended the watch.
type change struct {
	object sluice.Object
	err    error
}

// stream sends the changes until ctx ends, so that a caller can wait for several things at once. It closes the channel
// when the watch has ended.
func stream(ctx context.Context, changes iter.Seq2[sluice.Object, error]) <-chan change {
	to := make(chan change)
	go func() {
		defer close(to)
		for o, err := range changes {
			select {
			case to <- change{o, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return to
}
