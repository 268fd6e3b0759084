package account_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A watch that begins after a write never yields the state before it, however many watches there are already.
func TestWatchAfterWrite(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		for range w.Watch(ctx, "apps/v1", "Deployment", w.namespace) { //nolint:revive // it only keeps the watch up
		}
	}()
	web := w.deployment(0, "paused: true", "")
	for i := range 100 {
		web.Set(fmt.Sprint(i), "metadata", "labels", "n")
		_, _, err := w.Apply(ctx, web, false)
		must(t, err)
		for o, err := range w.Watch(ctx, "apps/v1", "Deployment", w.namespace) {
			must(t, err)
			if got := o.Text("metadata", "labels", "n"); got != fmt.Sprint(i) {
				t.Fatalf("after write %d the watch tells of %s", i, got)
			}
			break
		}
	}
	must(t, w.Scale(ctx, w.web(), 1))
	for o, err := range w.Follow(ctx, w.web()) {
		must(t, err)
		if n := o.Number(0, "spec", "replicas"); n != 1 {
			t.Fatalf("after it was scaled the watch tells of %d", n)
		}
		break
	}
}

// A hundred callers who wait for objects of one kind cost one connection.
func TestWatchIsShared(t *testing.T) {
	w := newWorld(t)
	const callers = 100
	w.apply(w.deployment(0, "paused: true", ""), sluice.Created)
	before := w.watches("deployments")
	var all, told sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told.Add(callers)
	for range callers {
		all.Go(func() {
			first := true
			for o, err := range w.Watch(ctx, "apps/v1", "Deployment", w.namespace) {
				if err != nil {
					t.Error(err)
					return
				}
				if first {
					told.Done()
					first = false
				}
				if o.Text("metadata", "labels", "go") != "" {
					return
				}
			}
		})
	}
	told.Wait()
	if extra := w.watches("deployments") - before; extra > 1 {
		t.Errorf("%d callers cost %d connections", callers, extra)
	}
	w.other("them", "deployments", "web", `{"metadata":{"labels":{"go":"1"}}}`)
	all.Wait()
}

// The watch goes on over a restart of the API server that is short, and ends with Unavailable over a long one.
func TestWatchOverRestart(t *testing.T) {
	if !pair.Owned {
		t.Skip("the clusters are a person's own")
	}
	w := newWorldOn(t, pair.Cluster02)
	w.apply(w.deployment(1, "", ""), sluice.Created)
	w.await(w.web(), time.Minute, func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready })
	must(t, pair.Cluster02.StopAPIServer(t.Context()))
	stopped := true
	t.Cleanup(func() {
		if stopped {
			must(t, pair.Cluster02.StartAPIServer(context.Background()))
		}
	})
	for _, err := range w.Watch(t.Context(), "apps/v1", "Deployment", w.namespace) {
		if err != nil {
			w.wants(err, sluice.Unavailable)
			break
		}
	}
	_, err := w.Get(t.Context(), w.web())
	w.wants(err, sluice.Unavailable)
	_, _, err = w.Apply(t.Context(), w.deployment(1, "", ""), false)
	w.wants(err, sluice.Unavailable)
	must(t, pair.Cluster02.StartAPIServer(t.Context()))
	stopped = false
	w.await(w.web(), time.Minute, func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready })
	must(t, w.Scale(t.Context(), w.web(), 2))
	w.await(w.web(), time.Minute, func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready })
}
