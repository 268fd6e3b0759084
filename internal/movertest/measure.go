package movertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// A Measurement compares the time of a copy with that of the tools that people use otherwise, in one run on one disk.
type Measurement struct {
	Bytes       int64
	Copy        time.Duration // of everything, into an empty repository
	Added       int64         // by how much the repository grew
	Incremental time.Duration // again, after 1 % was changed
	AddedLater  int64
	Restore     time.Duration
	CP          time.Duration // cp -a and sync
	Rsync       time.Duration // of what was changed, into what cp made; 0 if it is not installed
	Tar         time.Duration // tar | zstd -1 and sync; 0 if one of them is not installed
	TarBytes    int64
	Note        string // why something was not measured
}

// MeasureCopy measures m with the given number of bytes of content below dir, and removes them. The content is one
// large file and a hundred small ones.
func MeasureCopy(ctx context.Context, m sluice.Mover, bytes int64, dir string) (r Measurement, err error) {
	work, err := os.MkdirTemp(dir, "measure-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	data := filepath.Join(work, "data")
	if err := Sow(data, bytes); err != nil {
		return r, err
	}
	r = Measurement{Bytes: bytes}
	if err := r.rivals(ctx, work); err != nil {
		return r, err
	}
	first, took, err := run(ctx, m, transfer(sluice.TransferCopy, "bench-1", data))
	if err != nil {
		return r, err
	}
	r.Copy, r.Added = took, first.Added
	if err := Change(data, bytes); err != nil {
		return r, err
	}
	if err := r.rsync(ctx, work); err != nil {
		return r, err
	}
	second, took, err := run(ctx, m, transfer(sluice.TransferCopy, "bench-2", data))
	if err != nil {
		return r, err
	}
	r.Incremental, r.AddedLater = took, second.Added
	target := filepath.Join(work, "restored")
	if err := os.Mkdir(target, 0o700); err != nil {
		return r, err
	}
	back := transfer(sluice.TransferRestore, "bench-2", target)
	back.Copy = second
	_, r.Restore, err = run(ctx, m, back)
	return r, err
}

func run(ctx context.Context, m sluice.Mover, t sluice.Transfer) (sluice.Copy, time.Duration, error) {
	begin := time.Now()
	c, err := mover.Run(ctx, m, t, nil)
	return c, time.Since(begin), err
}

// Sow makes one large file and a hundred small ones in the directory, so many bytes in all.
func Sow(dir string, bytes int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	const small = 100
	for i := range small {
		if err := fill(filepath.Join(dir, fmt.Sprintf("small-%02d", i)), bytes/10/small); err != nil {
			return err
		}
	}
	return fill(filepath.Join(dir, "large"), bytes-bytes/10)
}

// Change changes 1 % of what Sow made.
func Change(dir string, bytes int64) error {
	return change(filepath.Join(dir, "large"), bytes-bytes/10)
}

// rivals measures cp and tar. Both are synced to the disk, as a copy into the repository is.
func (r *Measurement) rivals(ctx context.Context, work string) error {
	begin := time.Now()
	if err := shell(ctx, work, "cp -a data copied && sync -f copied"); err != nil {
		return err
	}
	r.CP = time.Since(begin)
	if _, err := exec.LookPath("zstd"); err != nil {
		r.Note = "zstd is not installed: tar was not measured"
		return nil
	}
	begin = time.Now()
	if err := shell(ctx, work, "tar -cf - data | zstd -q -1 -o data.tar.zst && sync -f data.tar.zst"); err != nil {
		return err
	}
	r.Tar = time.Since(begin)
	info, err := os.Stat(filepath.Join(work, "data.tar.zst"))
	if err != nil {
		return err
	}
	r.TarBytes = info.Size()
	return nil
}

// rsync measures rsync after the change. It compares content, as a copy into the repository does.
func (r *Measurement) rsync(ctx context.Context, work string) error {
	if _, err := exec.LookPath("rsync"); err != nil {
		return nil
	}
	begin := time.Now()
	err := shell(ctx, work, "rsync -a --checksum --inplace --no-whole-file data/ copied/ && sync -f copied")
	r.Rsync = time.Since(begin)
	return err
}

func shell(ctx context.Context, dir, command string) error {
	c := exec.CommandContext(ctx, "sh", "-c", command)
	c.Dir = dir
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, said.Bytes())
	}
	return nil
}
