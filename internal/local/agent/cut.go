package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
	"github.com/sluice-cd/sluice/internal/local/volume"
)

// spare is the space that a Cut leaves free beyond what it needs.
const spare = 64 << 20

// freeSpace is replaced by tests.
var freeSpace = volume.Free

// Cut copies the claims' current content at one instant. A generation appears whole or not at all.
func (a *Agent) Cut(ctx context.Context, r CutRequest) (sluice.Cut, error) {
	a.cuts.Lock()
	defer a.cuts.Unlock()
	if err := checkGeneration(r.Generation); err != nil {
		return sluice.Cut{}, err
	}
	if len(r.Claims) == 0 {
		return sluice.Cut{}, sluice.Errorf(sluice.Invalid, "there are no claims to copy")
	}
	sources, err := a.cutSources(r)
	if err != nil {
		return sluice.Cut{}, err
	}
	if cut, ok, err := a.knownCut(r); ok || err != nil {
		return cut, err
	}
	if err := a.checkSpace(r, sources); err != nil {
		return sluice.Cut{}, err
	}
	cut, err := a.cut(ctx, r, sources)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = sluice.Errorf(sluice.Exhausted, "there is not enough space to copy the claims: %w", err).
			WithHint("free space on the disk of %s", a.dir)
	}
	return cut, err
}

// cutSources returns the directories of the claims.
func (a *Agent) cutSources(r CutRequest) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var dirs []string
	for _, c := range r.Claims {
		dir, err := a.claimDir(r.Namespace, c)
		if err != nil {
			return nil, sluice.Errorf(sluice.NotFound, "there is no PersistentVolumeClaim/%s in the namespace %s",
				c, r.Namespace)
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// cutFile records a finished Cut; generations without it are half-made.
func (a *Agent) cutFile(r CutRequest) string {
	return filepath.Join(a.claimRoot(r.Namespace, r.Claims[0]), ".cut-"+r.Generation+".json")
}

func (a *Agent) knownCut(r CutRequest) (sluice.Cut, bool, error) {
	var cut sluice.Cut
	ok, err := readJSON(a.cutFile(r), &cut)
	for _, v := range cut.Volumes {
		if _, statErr := os.Stat(v.Dir); statErr != nil {
			ok = false // a part of it was discarded
		}
	}
	return cut, ok, err
}

// checkSpace refuses a cut that would not fit, before any process is stopped.
func (a *Agent) checkSpace(r CutRequest, sources []string) error {
	root := a.claimRoot(r.Namespace, r.Claims[0])
	if shares, err := volume.CanShare(root); shares || err != nil {
		return err
	}
	var need int64
	for _, dir := range sources {
		n, err := volume.Size(dir)
		if err != nil {
			return err
		}
		need += n
	}
	free, err := freeSpace(root)
	if err != nil {
		return err
	}
	if need+spare > free {
		return sluice.Errorf(sluice.Exhausted, "copying the claims needs %d MiB and %d MiB are free",
			(need+spare)>>20, free>>20).
			WithHint("free space on the disk of %s, or put the account on a file system with reflinks (Btrfs, XFS)", a.dir)
	}
	return nil
}

func (a *Agent) cut(ctx context.Context, r CutRequest, sources []string) (cut sluice.Cut, err error) {
	parts := make([]string, len(sources))
	for i, c := range r.Claims {
		parts[i] = filepath.Join(a.claimRoot(r.Namespace, c), ".part-"+r.Generation)
		if err := errors.Join(os.RemoveAll(parts[i]),
			os.RemoveAll(filepath.Join(a.claimRoot(r.Namespace, c), r.Generation))); err != nil {
			return cut, err
		}
	}
	defer func() {
		for _, part := range parts {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	cut.At, cut.Pause, err = a.copyFrozen(ctx, r, sources, parts)
	if err != nil {
		return cut, err
	}
	if err := volume.Sync(parts[0]); err != nil {
		return cut, err
	}
	return a.publish(r, cut, parts)
}

// publish gives the copies their names; the record of the Cut comes last.
func (a *Agent) publish(r CutRequest, cut sluice.Cut, parts []string) (sluice.Cut, error) {
	for i, c := range r.Claims {
		dir := filepath.Join(a.claimRoot(r.Namespace, c), r.Generation)
		if err := errors.Join(os.Rename(parts[i], dir), syncDir(filepath.Dir(dir))); err != nil {
			return cut, err
		}
		cut.Volumes = append(cut.Volumes, sluice.Volume{Namespace: r.Namespace, Claim: c, Generation: r.Generation, Dir: dir})
	}
	return cut, writeJSON(a.cutFile(r), cut)
}

// copyFrozen copies while every process of the pods that use the claims stands still.
func (a *Agent) copyFrozen(ctx context.Context, r CutRequest, sources, parts []string) (
	at time.Time, paused time.Duration, err error) {
	pods := a.freeze(r)
	defer a.thaw(pods)
	lease := max(r.Lease, time.Second)
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	dog, err := startWatchdog(lease)
	if err != nil {
		return at, 0, err
	}
	defer func() { _, releaseErr := dog.release(); err = errors.Join(err, releaseErr) }()
	a.starts.Lock() // nothing may start and write meanwhile
	defer a.starts.Unlock()
	began := time.Now()
	var ids []process.Identity
	for _, p := range pods {
		frozen, err := process.Freeze(p.mark(), began.Add(lease), dog.note)
		if err != nil {
			return at, 0, leaseError(err, lease)
		}
		ids = append(ids, frozen...)
	}
	at = time.Now().UTC()
	for i := range sources {
		if err := volume.Clone(ctx, sources[i], parts[i]); err != nil {
			return at, 0, leaseError(err, lease)
		}
	}
	still := !slices.ContainsFunc(ids, func(id process.Identity) bool { return !process.Stopped(id) })
	held, err := dog.release()
	if err == nil && (!held || !still) {
		err = leaseError(os.ErrDeadlineExceeded, lease)
	}
	return at, time.Since(began), err
}

func leaseError(err error, lease time.Duration) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return sluice.Errorf(sluice.Failed,
			"the pods would have had to stand still for longer than %s, so the copy was given up", lease).
			WithHint("allow a longer pause, or put the account on a file system with reflinks (Btrfs, XFS)")
	}
	return err
}

// freeze marks the pods that use the claims as frozen, so that no probe takes that for a fault.
func (a *Agent) freeze(r CutRequest) []*pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	var pods []*pod
	for _, c := range r.Claims {
		for _, p := range a.users(r.Namespace, c) {
			if !p.frozen {
				p.frozen = true
				pods = append(pods, p)
			}
		}
	}
	return pods
}

func (a *Agent) thaw(pods []*pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range pods {
		p.frozen, p.thawedAt = false, time.Now()
	}
}

// recoverVolumes removes copies that a killed agent left half-made, and tells claims which generation they have.
func (a *Agent) recoverVolumes() error {
	for _, e := range a.store.list("PersistentVolumeClaim", "") {
		a.nameVolume(e)
	}
	parts, err := filepath.Glob(filepath.Join(a.dir, "volumes", "*", "*", ".part-*"))
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := os.RemoveAll(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
