package main

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// A census remembers every pod of the new version that a watch told of.
type census struct {
	mu   sync.Mutex
	uids map[types.UID]bool
}

func (c *census) add(o any) {
	p, ok := o.(*corev1.Pod)
	if !ok || len(p.Spec.Containers) == 0 || p.Spec.Containers[0].Image != "image:2" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uids[p.UID] = true
}

func (c *census) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.uids)
}

func (c *census) has(pods []corev1.Pod) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range pods {
		if p.Spec.Containers[0].Image == "image:2" && !c.uids[p.UID] {
			return false
		}
	}
	return true
}

// started returns how many pods of the new version were started while something worked.
func (f *field) started(ctx context.Context, work func() error) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &census{uids: map[types.UID]bool{}}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(f.client.CoreV1().RESTClient(), "pods", f.namespace,
			fields.Everything()),
		ObjectType: &corev1.Pod{}, Handler: cache.ResourceEventHandlerFuncs{AddFunc: c.add},
	})
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return 0, errors.New("the pods cannot be listed")
	}
	before := c.count()
	if err := work(); err != nil {
		return 0, err
	}
	standing, err := f.client.CoreV1().Pods(f.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	for !c.has(standing.Items) && ctx.Err() == nil { // the watch may be late
		time.Sleep(10 * time.Millisecond)
	}
	return c.count() - before, ctx.Err()
}
