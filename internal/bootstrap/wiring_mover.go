package bootstrap

import (
	"context"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// A closableMover is a mover that holds a repository open.
type closableMover interface {
	sluice.Mover
	Close(ctx context.Context) error
}

// A lazyMover opens its repository when it is first used, so that who never copies data never makes one.
type lazyMover struct {
	open func(context.Context) (closableMover, error)

	mu      sync.Mutex
	opened  closableMover
	wrapped sluice.Mover
}

func (l *lazyMover) mover(ctx context.Context) (sluice.Mover, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrapped != nil {
		return l.wrapped, nil
	}
	// The repository outlives the step that happened to be the first to use it.
	m, err := l.open(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	l.opened, l.wrapped = m, mover.Wrap(m)
	return l.wrapped, nil
}

// Close lets go of the repository if it was opened.
func (l *lazyMover) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened == nil {
		return nil
	}
	return l.opened.Close(context.Background())
}

func (l *lazyMover) Copy(ctx context.Context, id sluice.CheckpointID, volumes []sluice.Volume, report func(sluice.Amount)) (sluice.Copy, error) {
	m, err := l.mover(ctx)
	if err != nil {
		return sluice.Copy{}, err
	}
	return m.Copy(ctx, id, volumes, report)
}

func (l *lazyMover) Restore(ctx context.Context, c sluice.Copy, volumes []sluice.Volume, report func(sluice.Amount)) error {
	m, err := l.mover(ctx)
	if err != nil {
		return err
	}
	return m.Restore(ctx, c, volumes, report)
}

func (l *lazyMover) Verify(ctx context.Context, c sluice.Copy, report func(sluice.Amount)) error {
	m, err := l.mover(ctx)
	if err != nil {
		return err
	}
	return m.Verify(ctx, c, report)
}

func (l *lazyMover) Delete(ctx context.Context, c sluice.Copy) error {
	m, err := l.mover(ctx)
	if err != nil {
		return err
	}
	return m.Delete(ctx, c)
}
