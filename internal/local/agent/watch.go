package agent

import (
	"context"
	"maps"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// Watch sends every object of the kind, then the mark Synced, then every change, until ctx ends or send fails. It sends
// a deleted object once, with its deletionTimestamp, after it is gone. An object that is being deleted when the watch
// begins is marked as Ending.
func (a *Agent) Watch(ctx context.Context, r WatchRequest, send func(WatchEvent) error) error {
	if _, err := kind.Find(r.APIVersion, r.Kind); err != nil {
		return err
	}
	namespace := r.Namespace
	if !kind.Namespaced(r.Kind) {
		namespace = ""
	}
	sub := a.events.subscribe(func(k key) bool {
		return k.Kind == r.Kind && (namespace == "" || k.Namespace == namespace)
	})
	defer a.events.unsubscribe(sub)
	if err := a.sendAll(r.Kind, namespace, send); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.ctx.Done():
			return errEnding
		case <-sub.wake:
		}
		for _, o := range sub.take() {
			if err := sendOne(o, send); err != nil {
				return err
			}
		}
	}
}

func (a *Agent) sendAll(kindName, namespace string, send func(WatchEvent) error) error {
	var all []sluice.Object
	a.mu.Lock()
	for _, e := range a.store.list(kindName, namespace) {
		all = append(all, e.Object.Clone())
	}
	a.mu.Unlock()
	for _, o := range all {
		ending := o.Text("metadata", "deletionTimestamp") != ""
		if err := send(WatchEvent{Object: o, Ending: ending}); err != nil {
			return err
		}
	}
	return send(WatchEvent{Synced: true})
}

func sendOne(o sluice.Object, send func(WatchEvent) error) error {
	if o.Field(goneField) != nil {
		o = maps.Clone(o) // Delete, which waits for the mark, and other watches share it
		delete(o, goneField)
	} else if o.Text("metadata", "deletionTimestamp") != "" {
		return nil
	}
	return send(WatchEvent{Object: o})
}
