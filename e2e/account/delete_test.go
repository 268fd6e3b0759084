package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

func TestDeleteHeldBack(t *testing.T) {
	w := newWorld(t)
	config := w.read("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, finalizers: [example.com/hold]}}")
	w.create("them", "configmaps", config)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	w.wants(w.Delete(ctx, config.Ref()), sluice.Failed, "example.com/hold")
	done := make(chan error)
	go func() { done <- w.Delete(t.Context(), config.Ref()) }()
	select {
	case err := <-done:
		t.Fatalf("it returned before the object was gone: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	w.other("them", "configmaps", "c", `{"metadata":{"finalizers":null}}`)
	must(t, <-done)
	if _, err := w.Get(t.Context(), config.Ref()); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("it is %v", err)
	}
}

// What somebody makes anew under the name while the old object is deleted is not touched.
func TestDeleteRecreated(t *testing.T) {
	w := newWorld(t)
	config := w.read("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, finalizers: [example.com/hold]}}")
	w.create("them", "configmaps", config)
	done := make(chan error)
	go func() { done <- w.Delete(t.Context(), config.Ref()) }()
	for {
		o, err := w.Get(t.Context(), config.Ref())
		must(t, err)
		if o.Text("metadata", "deletionTimestamp") != "" {
			break
		}
	}
	w.other("them", "configmaps", "c", `{"metadata":{"finalizers":null}}`)
	must(t, <-done)
	w.create("them", "configmaps", config)
	defer func() { w.other("them", "configmaps", "c", `{"metadata":{"finalizers":null}}`) }()
	if o, err := w.Get(t.Context(), config.Ref()); err != nil || o.Text("metadata", "deletionTimestamp") != "" {
		t.Errorf("the new one is %v, %v", o["metadata"], err)
	}
}
