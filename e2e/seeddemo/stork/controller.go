package stork

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// A Controller runs the migrations of its own cluster.
type Controller struct {
	// Client is a client of the source cluster.
	Client dynamic.Interface
	// Tick stands for the 10 seconds between two looks of the real controller.
	Tick time.Duration
	// VolumeDir is the directory of the destination's volumes on this machine,
	// the same for this process and for the destination's node.
	VolumeDir string

	mu   sync.Mutex
	busy map[types.UID]bool
	seen map[string]int // counts the looks at volumes that are being moved
}

// Run looks at every pair and migration once a tick until the context ends. Stork's resources are registered already.
func (c *Controller) Run(ctx context.Context) error {
	slog.Info("serving migrations", "tick", c.Tick)
	c.busy = map[types.UID]bool{}
	for {
		c.look(ctx, ClusterPairs, c.pair)
		c.look(ctx, Migrations, c.migration)
		if !sleep(ctx, c.Tick) {
			return nil
		}
	}
}

// look reconciles each object of the resource, unless an earlier look at it is not finished.
func (c *Controller) look(ctx context.Context, resource schema.GroupVersionResource,
	reconcile func(context.Context, *unstructured.Unstructured) error) {
	list, err := c.Client.Resource(resource).List(ctx, v1.ListOptions{})
	if err != nil {
		slog.Warn("list", "resource", resource.Resource, "error", err)
		return
	}
	for i := range list.Items {
		o := &list.Items[i]
		if !c.begin(o.GetUID()) {
			continue
		}
		go func() {
			defer c.end(o.GetUID())
			if err := reconcile(ctx, o); err != nil && ctx.Err() == nil {
				slog.Warn("reconcile", "resource", resource.Resource, "name", o.GetName(), "error", err)
			}
		}()
	}
}

func (c *Controller) begin(id types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[id] {
		return false
	}
	c.busy[id] = true
	return true
}

func (c *Controller) end(id types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, id)
}

// update writes the whole object including its status, as Stork does.
func (c *Controller) update(ctx context.Context, resource schema.GroupVersionResource,
	o *unstructured.Unstructured) error {
	written, err := c.Client.Resource(resource).Namespace(o.GetNamespace()).Update(ctx, o,
		v1.UpdateOptions{FieldManager: "stork"})
	if err == nil {
		o.Object = written.Object
	}
	return err
}

// released removes the finalizer from an object that is being deleted.
func (c *Controller) released(ctx context.Context, resource schema.GroupVersionResource,
	o *unstructured.Unstructured) error {
	o.SetFinalizers(nil)
	return c.update(ctx, resource, o)
}
