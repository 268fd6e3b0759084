package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/movertest"
)

// gibibyte is how much is copied.
const gibibyte = 1 << 30

func measureCopy(ctx context.Context) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "sluice-copy-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := kopia.Open(ctx, kopia.Options{
		Dir: filepath.Join(dir, "repository"), CacheDir: filepath.Join(dir, "cache"),
		Password: func(context.Context) (string, error) { return "measured", nil },
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close(context.WithoutCancel(ctx))) }()
	r, err := movertest.MeasureCopy(ctx, m, gibibyte, dir)
	if err != nil {
		return nil, err
	}
	return copyRows(r, peak()), nil
}

func copyRows(r movertest.Measurement, memory int64) []row {
	const atMost, faster, megabytes = 2, 10, 300
	first := row{
		What: "1 GiB copied, encrypted and deduplicated", Figure: fmt.Sprintf("%s, %d MB", seconds(r.Copy), r.Added>>20),
		Rival: "tar | zstd -1: not installed",
	}
	if r.Tar > 0 {
		first.Rival = fmt.Sprintf("tar | zstd -1: %s, %d MB", seconds(r.Tar), r.TarBytes>>20)
		first.Goal, first.Missed = fmt.Sprintf("at most %d times", atMost), r.Copy > atMost*r.Tar
	}
	again := row{
		What:   "  copied again after 1 % was changed",
		Figure: fmt.Sprintf("%s, %d MB", seconds(r.Incremental), r.AddedLater>>20), Rival: "cp -a: " + seconds(r.CP),
		Goal: fmt.Sprintf("%d times faster than at first", faster), Missed: faster*r.Incremental > r.Copy,
	}
	if r.Rsync > 0 {
		again.Rival = "rsync: " + seconds(r.Rsync)
	}
	return []row{
		first, again,
		{What: "  restored, every byte proven", Figure: seconds(r.Restore), Rival: "cp -a: " + seconds(r.CP)},
		{What: "  memory at most", Figure: fmt.Sprintf("%d MB", memory>>20), Goal: fmt.Sprintf("at most %d MB", megabytes),
			Missed: memory>>20 > megabytes},
	}
}

// peak returns the most memory that this process has had.
func peak() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return used.Maxrss << 10
}

func perSecond(n int, d time.Duration) string {
	return fmt.Sprintf("%.0f documents/s", float64(n)/d.Seconds())
}
