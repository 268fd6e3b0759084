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

// Watch yields the deployment's events after the one numbered after, then new ones as they are recorded, whichever process
// runs it. Live progress comes between them if the deployment is run here. Watch ends after DeploymentEnded, with ctx, or
// when no process runs the deployment. A slow reader misses progress, never an event.
func (e *Engine) Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		w := e.hub.subscribe(id)
		defer e.hub.unsubscribe(id, w)
		e.mu.Lock()
		e.keep(&e.wakesAll, e.wake)
		e.mu.Unlock()
		for ctx.Err() == nil {
			r, leased := e.runner(id), true
			if r == nil {
				var err error
				if leased, err = e.store.Leased(ctx, id); err != nil {
					yield(Update{}, err)
					return
				}
			}
			for event, err := range e.store.Read(ctx, id, after) { // after it is known who runs it
				if err != nil {
					yield(Update{}, err)
					return
				}
				after = event.Seq
				if !yield(Update{Event: &event}, nil) || event.Kind == sluice.DeploymentEnded {
					return
				}
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

// wake wakes the watchers of every deployment that has new events.
func (e *Engine) wake(ctx context.Context) error {
	newest, err := e.store.Newest(ctx)
	if err != nil {
		return err
	}
	e.hub.wakeAll()
	for entry, err := range e.store.Tail(ctx, newest) {
		if err != nil {
			return err
		}
		e.hub.wake(entry.Deployment)
	}
	return nil
}

// A hub tells watchers that there is something new.
type hub struct {
	mu       sync.Mutex
	watchers map[sluice.DeploymentID]map[*watcher]struct{}
}

type watcher struct {
	mu    sync.Mutex
	live  map[sluice.StepID]sluice.Progress
	ready chan struct{}
}

func (h *hub) subscribe(id sluice.DeploymentID) *watcher {
	w := &watcher{live: map[sluice.StepID]sluice.Progress{}, ready: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[sluice.DeploymentID]map[*watcher]struct{}{}
	}
	if h.watchers[id] == nil {
		h.watchers[id] = map[*watcher]struct{}{}
	}
	h.watchers[id][w] = struct{}{}
	return w
}

func (h *hub) unsubscribe(id sluice.DeploymentID, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[id], w)
	if len(h.watchers[id]) == 0 {
		delete(h.watchers, id)
	}
}

func (h *hub) wake(id sluice.DeploymentID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[id] {
		w.notify()
	}
}

func (h *hub) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, watchers := range h.watchers {
		for w := range watchers {
			w.notify()
		}
	}
}

func (h *hub) report(id sluice.DeploymentID, step sluice.StepID, p sluice.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[id] {
		w.mu.Lock()
		w.live[step] = p
		w.mu.Unlock()
		w.notify()
	}
}

func (w *watcher) notify() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *watcher) take() map[sluice.StepID]sluice.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	live := w.live
	w.live = map[sluice.StepID]sluice.Progress{}
	return live
}
