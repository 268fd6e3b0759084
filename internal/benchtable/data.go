package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	tar := "tar | zstd -1: not installed"
	if r.Tar > 0 {
		tar = fmt.Sprintf("tar | zstd -1: %s, %d MB", seconds(r.Tar), r.TarBytes>>20)
	}
	return []row{
		{What: "1 GiB copied, encrypted and deduplicated", Figure: fmt.Sprintf("%s, %d MB", seconds(r.Copy), r.Added>>20),
			Rival: "cp -a: " + seconds(r.CP)},
		{What: "", Figure: "", Rival: tar},
		{What: "  copied again after 1 % was changed",
			Figure: fmt.Sprintf("%s, %d MB", seconds(r.Incremental), r.AddedLater>>20), Rival: "cp -a: " + seconds(r.CP)},
		{What: "  restored, every byte proven", Figure: seconds(r.Restore)},
	}, nil
}

func perSecond(n int, d time.Duration) string {
	return fmt.Sprintf("%.0f documents/s", float64(n)/d.Seconds())
}
