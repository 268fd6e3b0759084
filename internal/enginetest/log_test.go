package enginetest

import (
	"context"
	"encoding/json"
	"iter"
	"sync"

	"github.com/sluice-cd/sluice"
)

// mortalLog is the log as an engine sees it during its life.
type mortalLog struct {
	sluice.Log
	life *life
}

// Append appends, after which the life may be over. The one who appended never hears of it then.
func (m mortalLog) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	m.life.mu.Lock()
	defer m.life.mu.Unlock()
	if m.life.dead {
		return killed()
	}
	if err := m.Log.Append(ctx, id, after, events...); err != nil {
		return err
	}
	if m.life.appends--; m.life.appends == 0 {
		m.life.die()
		return killed()
	}
	return nil
}

// Read reads, unless the life is over.
func (m mortalLog) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	if m.life.isDead() {
		return func(yield func(sluice.Event, error) bool) { yield(sluice.Event{}, killed()) }
	}
	return m.Log.Read(ctx, id, after)
}

// memoryLog is a log without a disk, so that a thousand deployments can be run; process_test.go uses the real store.
type memoryLog struct {
	mu     sync.Mutex
	events map[sluice.DeploymentID][]sluice.Event
}

func newMemoryLog() *memoryLog {
	return &memoryLog{events: map[sluice.DeploymentID][]sluice.Event{}}
}

// Append keeps what comes out of the events' JSON, as a store does.
func (m *memoryLog) Append(_ context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events[id]) != int(after) {
		return sluice.Errorf(sluice.Conflict, "deployment %s has %d events, not %d", id, len(m.events[id]), after)
	}
	for i, e := range events {
		e.Seq = after + sluice.Seq(i) + 1
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		var stored sluice.Event
		if err := json.Unmarshal(data, &stored); err != nil {
			return err
		}
		m.events[id] = append(m.events[id], stored)
	}
	return nil
}

func (m *memoryLog) Read(_ context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		m.mu.Lock()
		events := m.events[id]
		m.mu.Unlock()
		for _, e := range events[min(int(after), len(events)):] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (m *memoryLog) Deployments(context.Context, string) ([]sluice.Deployment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []sluice.Deployment
	for id, events := range m.events {
		list = append(list, sluice.Deployment{ID: id, Application: events[0].Plan.Application})
	}
	return list, nil
}

func (m *memoryLog) Unended(context.Context) ([]sluice.DeploymentID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []sluice.DeploymentID
	for id, events := range m.events {
		if events[len(events)-1].Kind != sluice.DeploymentEnded {
			list = append(list, id)
		}
	}
	return list, nil
}
