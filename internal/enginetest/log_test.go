package enginetest

import (
	"context"
	"iter"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A mortalStore is the store as an engine sees it during its life. Its leases end with the life, because the engine is
// stopped then.
type mortalStore struct {
	*storetest.Memory
	life *life
}

// Send and Letters work unless the life is over.
func (m mortalStore) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	if m.life.isDead() {
		return 0, killed()
	}
	return m.Memory.Send(ctx, id, sig)
}

func (m mortalStore) Letters(ctx context.Context, id sluice.DeploymentID) ([]sluice.Letter, error) {
	if m.life.isDead() {
		return nil, killed()
	}
	return m.Memory.Letters(ctx, id)
}

// Refuse does not end a life: those outside repeat themselves after every kill, and are refused every time.
func (m mortalStore) Refuse(ctx context.Context, id sluice.LetterID, reason sluice.Failure) error {
	if m.life.isDead() {
		return killed()
	}
	return m.Memory.Refuse(ctx, id, reason)
}

// Append appends, after which the life may be over. The one who appended never hears of it then.
func (m mortalStore) Append(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event,
) error {
	m.life.mu.Lock()
	defer m.life.mu.Unlock()
	if m.life.dead {
		return killed()
	}
	if err := m.Memory.Append(ctx, id, after, events...); err != nil {
		return err
	}
	if m.life.appends--; m.life.appends == 0 {
		m.life.die()
		return killed()
	}
	return nil
}

// Read reads, unless the life is over.
func (m mortalStore) Read(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq,
) iter.Seq2[sluice.Event, error] {
	if m.life.isDead() {
		return func(yield func(sluice.Event, error) bool) { yield(sluice.Event{}, killed()) }
	}
	return m.Memory.Read(ctx, id, after)
}
