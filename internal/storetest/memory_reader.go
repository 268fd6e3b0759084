package storetest

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// CursorOf implements [sluice.Readers].
func (m *Memory) CursorOf(_ context.Context, name string) (sluice.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.readers[name]
	if !ok {
		return 0, sluice.Errorf(sluice.NotFound, "there is no reader %s", name)
	}
	return c, nil
}

// PutCursor implements [sluice.Readers].
func (m *Memory) PutCursor(ctx context.Context, name string, c sluice.Cursor) error {
	return m.change(ctx, func() error {
		if name == "" {
			return sluice.Errorf(sluice.Invalid, "a reader has to have a name")
		}
		m.readers[name] = max(c, m.readers[name])
		return nil
	})
}
