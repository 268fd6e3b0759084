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

// isForgotten reports whether controllers can forget that an object of the kind is being deleted. They look again after
// a quarter of an hour, or when it changes. They forget a snapshot while a claim begins with it, and a content in
// deletion when they take off the mark that its snapshot is being made.
func isForgotten(kind string) bool { return kind == snapshotKind || kind == contentKind }

// nudge changes an object of such a kind now and then while it is being deleted, and the content of a snapshot with it,
// until ctx ends.
func (c objects) nudge(ctx context.Context, ref sluice.Ref) {
	again := time.NewTicker(nudgeEvery)
	defer again.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		content := "" // errors do not matter: the next nudge may succeed
		_ = c.change(ctx, ref, func(o sluice.Object) sluice.Object {
			content = o.Text("status", "boundVolumeSnapshotContentName")
			return nudged(o, n)
		})
		if content != "" && ref.Kind == snapshotKind {
			_ = c.change(ctx, contentRef(content), func(o sluice.Object) sluice.Object { return nudged(o, n) })
		}
	}
}

func nudged(o sluice.Object, n int) sluice.Object {
	if o.Text("metadata", "deletionTimestamp") == "" {
		return nil
	}
	patch := sluice.Object{}
	patch.Set(strconv.Itoa(n), "metadata", "annotations", nudgeNote)
	return patch
}
