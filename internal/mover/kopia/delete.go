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

// Delete implements [sluice.Mover]. The space is free about two days later: until then another process may still begin
// to refer to the content.
func (m *Mover) Delete(ctx context.Context, _ sluice.Place, id string) error {
	if err := m.stop(ctx, copyOf(id)); err != nil {
		return err
	}
	ctx, why := attend(ctx)
	list, err := m.of(ctx, id)
	if err == nil {
		err = m.forget(ctx, list)
	}
	if err == nil {
		err = m.maintain(ctx)
	}
	return m.fault("delete", why(err))
}

// of returns every snapshot of the copy, whole or not.
func (m *Mover) of(ctx context.Context, id string) (list []*snapshot.Manifest, err error) {
	if err := m.refresh(ctx); err != nil {
		return nil, err
	}
	sources, err := snapshot.ListSources(ctx, m.rep)
	for _, s := range sources {
		if s.Host != identity || s.UserName != identity || !strings.HasPrefix(s.Path, folder(id)) {
			continue
		}
		all, err := snapshot.ListSnapshots(ctx, m.rep, s)
		if err != nil {
			return nil, err
		}
		list = append(list, all...)
	}
	return list, err
}

// maintain frees content that no copy refers to and compacts the indexes, if that is due: partly every hour, completely
// once a day. It is safe at any time, also while copies are made.
func (m *Mover) maintain(ctx context.Context) error {
	session := repo.WriteSessionOptions{Purpose: "maintain"}
	return repo.DirectWriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		return snapshotmaintenance.Run(ctx, w, maintenance.ModeAuto, true, maintenance.SafetyFull)
	})
}
