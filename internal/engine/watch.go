package engine

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// An Update is an event that was recorded, or progress that is shown but not recorded.
type Update struct {
	Event    *sluice.Event    `json:"event,omitempty"`
	Step     sluice.StepID    `json:"step,omitempty"` // of Progress
	Progress *sluice.Progress `json:"progress,omitempty"`
}

// Watch yields the deployment's events after the one numbered after, then new ones as they are recorded, whichever
// process runs it. Live progress comes between them if the deployment is run here. Watch ends when the last event is
// DeploymentEnded, with ctx, or when no process runs the deployment. A slow reader misses progress, never an event.
func (e *Engine) Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		w := e.hub.subscribe(id)
		defer e.hub.unsubscribe(w)
		e.keep(&e.waking, e.wake)
		for ended := false; ctx.Err() == nil; {
			r, leased := e.runner(id), true
			if r == nil {
				var err error
				if leased, err = e.config.Store.Leased(ctx, id); err != nil {
					yield(Update{}, err)
					return
				}
			}
			for event, err := range e.config.Store.Read(ctx, id, after) { // after it is known who runs it
				if err != nil {
					yield(Update{}, err)
					return
				}
				after, ended = event.Seq, event.Kind == sluice.DeploymentEnded
				if !yield(Update{Event: &event}, nil) {
					return
				}
			}
			if ended {
				return
			}
			for step, p := range w.take() {
				if !yield(Update{Step: step, Progress: &p}, nil) {
					return
				}
			}
			if !leased {
				return
			}
			w.wait(ctx, r)
		}
	}
}

// wait returns when there may be something new, or the deployment may be run by another process or none.
func (w *watcher) wait(ctx context.Context, r *runner) {
	if r != nil {
		select {
		case <-w.ready:
		case <-r.ended:
		case <-ctx.Done():
		}
		return
	}
	t := time.NewTimer(glance)
	defer t.Stop()
	select {
	case <-w.ready:
	case <-t.C:
	case <-ctx.Done():
	}
}

// wake wakes the watchers of every deployment that has new events, and when one has ended also what is queued.
func (e *Engine) wake(ctx context.Context) error {
	newest, err := e.config.Store.Newest(ctx)
	if err != nil {
		return err
	}
	e.hub.wake("")
	e.callQueued()
	for entry, err := range e.config.Store.Tail(ctx, newest) {
		if err != nil {
			return err
		}
		e.hub.wake(entry.Deployment)
		if entry.Event.Kind == sluice.DeploymentEnded {
			e.callQueued()
		}
	}
	return nil
}

// A hub tells watchers that there is something new.
type hub struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	id    sluice.DeploymentID
	mu    sync.Mutex
	live  map[sluice.StepID]sluice.Progress
	ready bell
}

func (h *hub) subscribe(id sluice.DeploymentID) *watcher {
	w := &watcher{id: id, live: map[sluice.StepID]sluice.Progress{}, ready: make(bell, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[*watcher]struct{}{}
	}
	h.watchers[w] = struct{}{}
	return w
}

func (h *hub) unsubscribe(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// wake wakes the watchers of a deployment, or all if id is "".
func (h *hub) wake(id sluice.DeploymentID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if id == "" || id == w.id {
			w.ready.ring()
		}
	}
}

func (h *hub) report(id sluice.DeploymentID, step sluice.StepID, p sluice.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if id == w.id {
			w.mu.Lock()
			w.live[step] = p
			w.mu.Unlock()
			w.ready.ring()
		}
	}
}

func (w *watcher) take() map[sluice.StepID]sluice.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	live := w.live
	w.live = map[sluice.StepID]sluice.Progress{}
	return live
}

// A bell wakes one goroutine. It holds one ring, so that a ring is never lost and never waits.
type bell chan struct{}

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}
