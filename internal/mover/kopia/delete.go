package kopia

import (
	"context"
	"errors"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"

	"github.com/sluice-cd/sluice"
)

// Delete implements [sluice.Mover]. The space is free about two days later: content that another process may
// be about to refer to is left alone until then.
func (m *Mover) Delete(ctx context.Context, c sluice.Copy) error {
	if err := m.rep.Refresh(ctx); err != nil {
		return m.fault("delete", err)
	}
	var list []*snapshot.Manifest
	for _, id := range c.Snapshots {
		s, err := snapshot.LoadSnapshot(ctx, m.rep, manifest.ID(id))
		if errors.Is(err, snapshot.ErrSnapshotNotFound) {
			continue
		}
		if err != nil {
			return m.fault("delete", err)
		}
		list = append(list, s)
	}
	if err := m.forget(ctx, list); err != nil {
		return m.fault("delete", err)
	}
	return m.Maintain(ctx)
}

// Maintain frees what no copy refers to any more and keeps the indexes small, if that is due: a little of it every
// hour, all of it once a day. It is safe at any time, also while copies are made.
func (m *Mover) Maintain(ctx context.Context) error {
	session := repo.WriteSessionOptions{Purpose: "maintain"}
	err := repo.DirectWriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		return snapshotmaintenance.Run(ctx, w, maintenance.ModeAuto, true, maintenance.SafetyFull)
	})
	if err != nil {
		return m.fault("maintain", err)
	}
	return nil
}
