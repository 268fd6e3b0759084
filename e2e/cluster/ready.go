package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// recovery is how long a cluster may take to be ready again, for example after its API server was away. One that is not
// ready by then is started anew, also if tests of another process use it.
const recovery = 2 * time.Minute

// healthy reports whether the cluster is up, with all its parts and its node, or is so within the time that a recovery
// takes.
func (c *Cluster) healthy(ctx context.Context) bool {
	if _, alive := c.spec.supervisor(); !alive {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	return c.awaitReady(ctx) == nil
}

// awaitReady waits until all parts answer and pods can start.
func (c *Cluster) awaitReady(ctx context.Context) error {
	if err := c.awaitSupervisor(ctx); err != nil {
		return err
	}
	if _, err := control(ctx, c.spec.Dir, "GET", "/ready", nil); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	if c.Name != kwok {
		if err := c.awaitNodes(ctx, client, 1); err != nil {
			return fmt.Errorf("wait for the node: %w", err)
		}
	}
	// The API server refuses pods until their namespace has its service account.
	accounts := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "serviceaccounts", metav1.NamespaceDefault,
		fields.OneTermEqualSelector("metadata.name", "default"))
	if err := await(ctx, accounts, func(runtime.Object) bool { return true }); err != nil {
		return fmt.Errorf("wait for the service account: %w", err)
	}
	if c.Name == kwok {
		return nil
	}
	pause, err := c.options.buildPause(ctx)
	if err != nil {
		return err
	}
	return c.Load(ctx, pause)
}

// awaitSupervisor waits until the supervisor answers or has ended.
func (c *Cluster) awaitSupervisor(ctx context.Context) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		_, err := control(ctx, c.spec.Dir, "GET", "/status", nil)
		if err == nil {
			return nil
		}
		if _, alive := c.spec.supervisor(); !alive {
			return errors.New("the supervisor has ended")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return err
		}
	}
}

// awaitNodes waits until the given number of nodes is ready.
func (c *Cluster) awaitNodes(ctx context.Context, client kubernetes.Interface, count int) error {
	nodes := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "", fields.Everything())
	ready := map[string]bool{}
	return await(ctx, nodes, func(o runtime.Object) bool {
		node := o.(*corev1.Node)
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready[node.Name] = true
			}
		}
		return len(ready) >= count
	})
}

// await watches objects until one of them meets the condition.
func await(ctx context.Context, objects *cache.ListWatch, wanted func(runtime.Object) bool) error {
	list, err := objects.ListWithContext(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	now, err := meta.ExtractList(list)
	if err != nil || slices.ContainsFunc(now, wanted) {
		return err
	}
	access, err := meta.ListAccessor(list)
	if err != nil {
		return err
	}
	changes, err := watchtools.NewRetryWatcherWithContext(ctx, access.GetResourceVersion(), objects)
	if err != nil {
		return err
	}
	_, err = watchtools.UntilWithoutRetry(ctx, changes, func(e watch.Event) (bool, error) {
		return (e.Type == watch.Added || e.Type == watch.Modified) && wanted(e.Object), nil
	})
	return err
}

// logTails returns the end of each log, for the error of a failed start.
func (s spec) logTails() string {
	var all strings.Builder
	entries, err := os.ReadDir(s.file("log"))
	if err != nil {
		return err.Error()
	}
	for _, e := range entries {
		tail, err := readTail(s.file("log", e.Name()), 1500)
		if err != nil {
			tail = err.Error()
		}
		fmt.Fprintf(&all, "--- %s\n%s\n", s.file("log", e.Name()), tail)
	}
	return all.String()
}

func readTail(path string, bytes int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-bytes), bytes))
	return string(data), err
}
