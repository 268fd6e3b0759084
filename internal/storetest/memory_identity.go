package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// PutToken implements [sluice.Tokens].
func (m *Memory) PutToken(ctx context.Context, t sluice.Token) error {
	return m.change(ctx, func() error {
		if t.ID == "" || len(t.Hash) == 0 {
			return sluice.Errorf(sluice.Invalid, "a token has to have an id and a hash")
		}
		if slices.ContainsFunc(m.tokens, hasID(t.ID)) {
			return sluice.Errorf(sluice.Conflict, "there is a token %s already", t.ID)
		}
		m.tokens = append(m.tokens, t)
		return nil
	})
}

func hasID(id string) func(sluice.Token) bool {
	return func(t sluice.Token) bool { return t.ID == id }
}

// Token implements [sluice.Tokens].
func (m *Memory) Token(_ context.Context, id string) (sluice.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.tokens, hasID(id)); i >= 0 {
		return m.tokens[i], nil
	}
	return sluice.Token{}, sluice.Errorf(sluice.NotFound, "there is no token %s", id)
}

// Tokens implements [sluice.Tokens].
func (m *Memory) Tokens(context.Context) ([]sluice.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(slices.Values(m.tokens), func(a, b sluice.Token) int {
		return cmp.Or(b.MadeAt.Compare(a.MadeAt), cmp.Compare(b.ID, a.ID))
	}), nil
}

// DeleteToken implements [sluice.Tokens].
func (m *Memory) DeleteToken(ctx context.Context, id string) error {
	return m.change(ctx, func() error {
		m.tokens = slices.DeleteFunc(m.tokens, hasID(id))
		return nil
	})
}

// Record implements [sluice.Audit].
func (m *Memory) Record(ctx context.Context, e sluice.AuditEntry) error {
	return m.change(ctx, func() error {
		if e.At.IsZero() || e.Verb == "" {
			return sluice.Errorf(sluice.Invalid, "an audit entry has to have a time and a verb")
		}
		e.Number = int64(len(m.audit) + 1)
		m.audit = append(m.audit, e)
		return nil
	})
}

// Entries implements [sluice.Audit].
func (m *Memory) Entries(
	_ context.Context, application string, before int64, most int,
) (list []sluice.AuditEntry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.Backward(m.audit) {
		if len(list) < most && (before == 0 || e.Number < before) && (application == "" || application == e.Application) {
			list = append(list, e)
		}
	}
	return list, nil
}
