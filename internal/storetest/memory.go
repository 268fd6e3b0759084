package storetest

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice"
)

// A Memory is a store without a disk, for tests of what uses a store. It has no catalogue.
type Memory struct {
	sluice.Catalogue

	mu      sync.Mutex
	feed    []sluice.Entry
	letters []letter
	leases  map[sluice.DeploymentID]*memoryLease
	tokens  []sluice.Token
	audit   []sluice.AuditEntry
	readers map[string]sluice.Cursor
	changed chan struct{} // closed at the next change
}

type letter struct {
	sluice.Letter
	deployment sluice.DeploymentID
	answer     sluice.Answer
}

var _ sluice.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		leases: map[sluice.DeploymentID]*memoryLease{}, readers: map[string]sluice.Cursor{}, changed: make(chan struct{}),
	}
}

// change calls f, one call at a time, and wakes those who wait if it succeeds.
func (m *Memory) change(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return sluice.Errorf(sluice.Cancelled, "%w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f(); err != nil {
		return err
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

// follow calls look now and after each change, until it has seen enough or ctx ends.
func (m *Memory) follow(ctx context.Context, look func() (enough bool)) {
	for {
		m.mu.Lock()
		changed := m.changed
		m.mu.Unlock()
		if look() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// log returns the deployment's events; m.mu is held.
func (m *Memory) log(id sluice.DeploymentID) (events []sluice.Event) {
	for _, e := range m.feed {
		if e.Deployment == id {
			events = append(events, e.Event)
		}
	}
	return events
}

func (m *Memory) isEnded(id sluice.DeploymentID) bool {
	log := m.log(id)
	return log[len(log)-1].Kind == sluice.DeploymentEnded
}

// Append implements [sluice.Log]. It keeps what comes out of the events' JSON, as a store does.
func (m *Memory) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	return m.change(ctx, func() error {
		switch log := m.log(id); {
		case len(log) == 0 && after > 0:
			return sluice.Errorf(sluice.NotFound, "there is no deployment %s", id)
		case len(log) != int(after):
			return sluice.Errorf(sluice.Conflict, "deployment %s has %d events, not %d", id, len(log), after)
		case len(log) > 0 && len(events) > 0 && m.isEnded(id) != (events[0].Kind == sluice.DeploymentReopened):
			return sluice.Errorf(sluice.Conflict, "deployment %s has ended, or has not", id)
		case len(events) > 0 && events[0].Kind == sluice.DeploymentReopened && len(m.unended(log[0].Plan.Application)) > 0:
			return sluice.Errorf(sluice.Conflict, "the application is being deployed").WithHint("wait for it")
		case len(events) > 0 && events[0].Kind == sluice.DeploymentStarted && m.isTaken(id, append(log, events[0])[0].Plan):
			return sluice.Errorf(sluice.Conflict, "the application is being deployed").WithHint("wait for it")
		}
		for i, e := range events {
			if e.Kind == sluice.DeploymentEnded && i < len(events)-1 {
				return sluice.Errorf(sluice.Invalid, "events follow the end of deployment %s", id)
			}
			if e.Kind == sluice.DeploymentReopened && i > 0 {
				return sluice.Errorf(sluice.Invalid, "events come before the reopening of deployment %s", id)
			}
			again := slices.ContainsFunc(events[:i], func(other sluice.Event) bool { return other.Letter == e.Letter })
			if e.Letter != 0 && (again || !m.isOpen(e.Letter, id)) {
				return sluice.Errorf(sluice.Conflict, "letter %d is settled already", e.Letter)
			}
		}
		m.overtake(id, events)
		return m.append(id, after, events)
	})
}

// isTaken reports whether another deployment of the plan's application comes before this one.
func (m *Memory) isTaken(id sluice.DeploymentID, p *sluice.Plan) bool {
	queued := len(m.log(id)) > 0
	return slices.ContainsFunc(m.unended(p.Application), func(other sluice.DeploymentID) bool {
		return other != id && !(queued && m.isQueued(other))
	})
}

func (m *Memory) isQueued(id sluice.DeploymentID) bool {
	log := m.log(id)
	return log[0].Kind == sluice.DeploymentQueued && !m.isEnded(id) &&
		!slices.ContainsFunc(log, func(e sluice.Event) bool { return e.Kind == sluice.DeploymentStarted })
}

// overtake ends the deployment that is queued if the first of the events queues another one of its application.
func (m *Memory) overtake(by sluice.DeploymentID, events []sluice.Event) {
	if len(events) == 0 || events[0].Kind != sluice.DeploymentQueued {
		return
	}
	for _, id := range m.unended(events[0].Plan.Application) {
		if m.isQueued(id) {
			m.feed = append(m.feed, sluice.Entry{Cursor: sluice.Cursor(len(m.feed) + 1), Deployment: id, Event: sluice.Event{
				Seq: sluice.Seq(len(m.log(id)) + 1), At: events[0].At, Kind: sluice.DeploymentEnded,
				Outcome: sluice.StatusOvertaken, OvertakenBy: by,
			}})
		}
	}
}

func (m *Memory) append(id sluice.DeploymentID, after sluice.Seq, events []sluice.Event) error {
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
		if e.Letter != 0 {
			m.letters[e.Letter-1].answer.Settled = true
		}
		m.feed = append(m.feed, sluice.Entry{Cursor: sluice.Cursor(len(m.feed) + 1), Deployment: id, Event: stored})
	}
	return nil
}

// Read implements [sluice.Log].
func (m *Memory) Read(_ context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		m.mu.Lock()
		events := m.log(id)
		m.mu.Unlock()
		if len(events) == 0 {
			yield(sluice.Event{}, sluice.Errorf(sluice.NotFound, "there is no deployment %s", id))
			return
		}
		for _, e := range events[min(int(after), len(events)):] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Deployments implements [sluice.Log].
func (m *Memory) Deployments(_ context.Context, application string) (list []sluice.Deployment, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.feed {
		if p := e.Event.Plan; p != nil && (application == "" || application == p.Application) {
			d := sluice.Deployment{ID: e.Deployment, Application: p.Application, StartedAt: e.Event.At}
			log := m.log(e.Deployment)
			if d.Outcome = log[len(log)-1].Outcome; m.isQueued(e.Deployment) {
				d.Outcome = sluice.StatusQueued
			}
			list = append(list, d)
		}
	}
	slices.Reverse(list)
	return list, nil
}

// Unended implements [sluice.Log].
func (m *Memory) Unended(context.Context) ([]sluice.DeploymentID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unended(""), nil
}

func (m *Memory) unended(application string) (list []sluice.DeploymentID) {
	for _, e := range m.feed {
		if p := e.Event.Plan; p != nil && (application == "" || application == p.Application) && !m.isEnded(e.Deployment) {
			list = append(list, e.Deployment)
		}
	}
	return list
}

type memoryLease struct {
	store *Memory
	id    sluice.DeploymentID
	lost  chan struct{}
}

// Lease implements [sluice.Leases].
func (m *Memory) Lease(ctx context.Context, id sluice.DeploymentID) (sluice.Lease, error) {
	l := &memoryLease{m, id, make(chan struct{})}
	return l, m.change(ctx, func() error {
		if m.leases[id] != nil {
			return sluice.Errorf(sluice.Conflict, "deployment %s is already being run", id)
		}
		m.leases[id] = l
		return nil
	})
}

// Leased implements [sluice.Leases].
func (m *Memory) Leased(_ context.Context, id sluice.DeploymentID) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leases[id] != nil, nil
}

func (l *memoryLease) Lost() <-chan struct{} { return l.lost }

func (l *memoryLease) Release() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.store.leases[l.id] == l {
		delete(l.store.leases, l.id)
	}
	return nil
}

// Lose ends the lease of a deployment, as a broken connection does.
func (m *Memory) Lose(id sluice.DeploymentID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.leases[id]; l != nil {
		delete(m.leases, id)
		close(l.lost)
	}
}

// Send implements [sluice.Inbox].
func (m *Memory) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (n sluice.LetterID, err error) {
	err = m.change(ctx, func() error {
		if len(m.log(id)) == 0 {
			return sluice.Errorf(sluice.NotFound, "there is no deployment %s", id)
		}
		if m.isEnded(id) {
			return sluice.Errorf(sluice.Conflict, "deployment %s has ended", id)
		}
		n = sluice.LetterID(len(m.letters) + 1)
		m.letters = append(m.letters, letter{Letter: sluice.Letter{ID: n, Signal: sig}, deployment: id})
		return nil
	})
	return n, err
}

func (m *Memory) isOpen(n sluice.LetterID, id sluice.DeploymentID) bool {
	return int(n) <= len(m.letters) && m.letters[n-1].deployment == id && !m.letters[n-1].answer.Settled
}

// unsettled returns the letters after the nth that are not settled; m.mu is not held.
func (m *Memory) unsettled(n sluice.LetterID) (list []letter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.letters[n:] {
		if !l.answer.Settled {
			list = append(list, l)
		}
	}
	return list
}

// Letters implements [sluice.Inbox].
func (m *Memory) Letters(_ context.Context, id sluice.DeploymentID) (list []sluice.Letter, err error) {
	for _, l := range m.unsettled(0) {
		if l.deployment == id {
			list = append(list, l.Letter)
		}
	}
	return list, nil
}

// Arrivals implements [sluice.Inbox].
func (m *Memory) Arrivals(ctx context.Context) iter.Seq2[sluice.DeploymentID, error] {
	return func(yield func(sluice.DeploymentID, error) bool) {
		seen := sluice.LetterID(0)
		m.follow(ctx, func() bool {
			if ctx.Err() != nil {
				return true
			}
			for _, l := range m.unsettled(seen) {
				if seen = l.ID; !yield(l.deployment, nil) {
					return true
				}
			}
			return false
		})
	}
}

// Refuse implements [sluice.Inbox].
func (m *Memory) Refuse(ctx context.Context, n sluice.LetterID, reason sluice.Failure) error {
	return m.change(ctx, func() error {
		if int(n) > len(m.letters) {
			return sluice.Errorf(sluice.NotFound, "there is no letter %d", n)
		}
		if a := &m.letters[n-1].answer; !a.Settled {
			*a = sluice.Answer{Settled: true, Refusal: &reason}
		}
		return nil
	})
}

// Answer implements [sluice.Inbox].
func (m *Memory) Answer(ctx context.Context, n sluice.LetterID) (a sluice.Answer, err error) {
	m.follow(ctx, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if int(n) > len(m.letters) {
			err = sluice.Errorf(sluice.NotFound, "there is no letter %d", n)
			return true
		}
		a = m.letters[n-1].answer
		return a.Settled
	})
	return a, err
}

// Newest implements [sluice.Tail].
func (m *Memory) Newest(context.Context) (sluice.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sluice.Cursor(len(m.feed)), nil
}

// Tail implements [sluice.Tail].
func (m *Memory) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return func(yield func(sluice.Entry, error) bool) {
		m.follow(ctx, func() bool {
			if ctx.Err() != nil {
				return true
			}
			m.mu.Lock()
			news := m.feed[after:]
			m.mu.Unlock()
			for _, e := range news {
				if after = e.Cursor; !yield(e, nil) {
					return true
				}
			}
			return false
		})
	}
}

// Close implements [sluice.Store].
func (m *Memory) Close() error { return nil }
