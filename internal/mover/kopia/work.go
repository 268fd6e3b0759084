package kopia

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// A transferKey identifies a transfer. Account and namespace are empty for copies, which have their ID alone.
type transferKey struct {
	kind                   sluice.TransferKind
	account, namespace, id string
}

func keyOf(t sluice.Transfer) transferKey {
	if t.Kind == sluice.TransferCopy {
		return copyOf(t.ID)
	}
	return transferKey{t.Kind, t.Place.Name, t.Place.Namespace, t.ID}
}

func copyOf(id string) transferKey { return transferKey{kind: sluice.TransferCopy, id: id} }

// work is a transfer that was begun in this process.
type work struct {
	meter
	cancel context.CancelFunc
	over   chan struct{} // closed once copy and err are set
	copy   sluice.Copy
	err    error
}

func (w *work) isOver() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

// Begin implements [sluice.Mover].
func (m *Mover) Begin(ctx context.Context, t sluice.Transfer) error {
	do := map[sluice.TransferKind]func(context.Context, sluice.Transfer, *meter) (sluice.Copy, error){
		sluice.TransferCopy: m.copy, sluice.TransferRestore: m.restore, sluice.TransferVerify: m.verify,
	}[t.Kind]
	if do == nil {
		return sluice.Errorf(sluice.Unsupported, "the mover %s does not know the transfer %q", Name, t.Kind)
	}
	if err := ctx.Err(); err != nil {
		return m.fault("begin", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.work[keyOf(t)]; w != nil && (!w.isOver() || w.err == nil) {
		return nil
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &work{cancel: cancel, over: make(chan struct{})}
	m.work[keyOf(t)] = w
	go func() {
		defer cancel()
		defer close(w.over)
		defer func() {
			if v := recover(); v != nil { // it fails the step, not the process
				w.err = sluice.Errorf(sluice.Internal, "the mover %s panicked in %s: %v", Name, t.Kind, v).
					WithHint("this is a defect of Sluice; please report it")
			}
		}()
		run, why := attend(run)
		c, err := do(run, t, &w.meter)
		w.copy, w.err = c, m.fault(string(t.Kind), why(err))
	}()
	return nil
}

// Follow implements [sluice.Mover].
func (m *Mover) Follow(ctx context.Context, t sluice.Transfer, report func(sluice.Amount)) (sluice.Copy, error) {
	w := m.begun(keyOf(t))
	if w == nil {
		c, done, err := m.Find(ctx, t)
		if err == nil && !done { // it was begun at this moment
			return m.Follow(ctx, t, report)
		}
		return c, err
	}
	w.follow(report)
	defer w.follow(nil)
	select {
	case <-w.over:
	case <-ctx.Done():
	}
	w.cancel()
	<-w.over
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.work[keyOf(t)] == w {
		delete(m.work, keyOf(t))
	}
	return w.copy, w.err
}

func (m *Mover) begun(key transferKey) *work {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.work[key]
}

// Find implements [sluice.Mover].
func (m *Mover) Find(ctx context.Context, t sluice.Transfer) (c sluice.Copy, done bool, err error) {
	if w := m.begun(keyOf(t)); w != nil {
		if !w.isOver() {
			return c, false, nil
		}
		if w.err == nil {
			return w.copy, true, nil
		}
	}
	if t.Kind == sluice.TransferCopy {
		ctx, why := attend(ctx)
		c, done, err = m.made(ctx, t)
		err = why(err)
	}
	if err == nil && !done {
		err = sluice.Errorf(sluice.NotFound, "the repository %s has no %s %s", m.place, t.Kind, t.ID)
	}
	return c, done, m.fault("find", err)
}

// Cancel implements [sluice.Mover].
func (m *Mover) Cancel(ctx context.Context, t sluice.Transfer) error { return m.stop(ctx, keyOf(t)) }

// stop ends work of this process and forgets its result.
func (m *Mover) stop(ctx context.Context, key transferKey) error {
	w := m.begun(key)
	if w == nil {
		return nil
	}
	w.cancel()
	select {
	case <-w.over:
	case <-ctx.Done():
		return m.fault("cancel", ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.work, key)
	return nil
}
