package kopia

import (
	"context"
	"strings"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"

	"github.com/sluice-cd/sluice"
)

// Delete implements [sluice.Mover]. The space is free about two days later: content that another process may
// be about to refer to is left alone until then.
func (m *Mover) Delete(ctx context.Context, _ sluice.Place, id string) error {
	if err := m.stop(ctx, copyOf(id)); err != nil {
		return err
	}
	if err := m.refresh(ctx); err != nil {
		return m.fault("delete", err)
	}
	sources, err := snapshot.ListSources(ctx, m.rep)
	if err != nil {
		return m.fault("delete", err)
	}
	var list []*snapshot.Manifest
	for _, s := range sources {
		if s.Host != identity || s.UserName != identity || !strings.HasPrefix(s.Path, folder(id)) {
			continue
		}
		all, err := snapshot.ListSnapshots(ctx, m.rep, s)
		if err != nil {
			return m.fault("delete", err)
		}
		list = append(list, all...)
	}
	if err := m.forget(ctx, list); err != nil {
		return m.fault("delete", err)
	}
	return m.maintain(ctx)
}

// maintain frees what no copy refers to any more and keeps the indexes small, if that is due: a little of it every
// hour, all of it once a day. It is safe at any time, also while copies are made.
func (m *Mover) maintain(ctx context.Context) error {
	session := repo.WriteSessionOptions{Purpose: "maintain"}
	err := repo.DirectWriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		return snapshotmaintenance.Run(ctx, w, maintenance.ModeAuto, true, maintenance.SafetyFull)
	})
	if err != nil {
		return m.fault("maintain", err)
	}
	return nil
}
