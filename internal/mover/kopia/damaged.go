package kopia

import (
	"context"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"

	"github.com/sluice-cd/sluice"
)

// drop keeps later copies from referring to content that cannot be read back: they would be damaged from the beginning.
// The next copy that has the same content writes it anew, and that heals the damaged copy too. What is deleted can
// still be read until maintenance frees it, so a mistake here costs only that writing. If it fails, the next reader
// tries again.
func (m *Mover) drop(ctx context.Context, id object.ID) {
	damaged, _, direct := id.ContentID()
	if !direct {
		return
	}
	session := repo.WriteSessionOptions{Purpose: "drop damaged content"}
	_ = repo.DirectWriteSession(ctx, m.rep, session, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		return w.ContentManager().DeleteContent(ctx, damaged)
	})
}

// isDamage reports whether the error says that content is not as it was written.
func isDamage(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && codeOf(err) == sluice.Failed
}
