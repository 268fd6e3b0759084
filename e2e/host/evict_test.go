package host_test

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

const budget = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: other}
spec: {minAvailable: 0, selector: {matchLabels: {app: other}}}`

// limited is a Deployment whose budget has taken notice of its pods.
func limited(t *testing.T) (*world, sluice.Pod) {
	w := newWorld(t)
	w.serving(1)
	w.apply(budget)
	w.awaitBudget(func(healthy int32) bool { return healthy == 1 })
	pods, err := w.Pods(w.ctx, w.namespace)
	must(t, err)
	return w, pods[0]
}

func (w *world) awaitBudget(wanted func(healthy int32) bool) {
	w.Helper()
	watch, err := w.client.PolicyV1().PodDisruptionBudgets(w.namespace).Watch(w.ctx, metav1.ListOptions{})
	must(w.T, err)
	defer watch.Stop()
	for {
		b, err := w.client.PolicyV1().PodDisruptionBudgets(w.namespace).Get(w.ctx, "web", metav1.GetOptions{})
		must(w.T, err)
		if b.Status.ObservedGeneration > 0 && wanted(b.Status.CurrentHealthy) {
			return
		}
		select {
		case <-watch.ResultChan():
		case <-w.ctx.Done():
			w.Fatal("the budget never became as wanted")
		}
	}
}

func TestEvictWaitsForItsBudget(t *testing.T) {
	w, p := limited(t)
	short, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	if err := w.Evict(short, w.namespace, p.Name); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the eviction did not wait: %v", err)
	}
	if pods, err := w.Pods(w.ctx, w.namespace); err != nil || ready(pods) != 1 {
		t.Fatalf("the budget was not kept: %+v, %v", pods, err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Evict(w.ctx, w.namespace, p.Name) }()
	must(t, w.Scale(w.ctx, sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.namespace, Name: "web"}, 2))
	must(t, <-done)
	pods, err := w.Pods(w.ctx, w.namespace)
	must(t, err)
	for _, left := range pods {
		if left.Name == p.Name {
			t.Errorf("the pod is still there: %+v", left)
		}
	}
	if ready(pods) == 0 {
		t.Errorf("no pod was left ready: %+v", pods)
	}
	must(t, w.Evict(w.ctx, w.namespace, p.Name))
}

func TestEvictDeletesWhatIsNotReadyAnyway(t *testing.T) {
	w, p := limited(t)
	_, err := w.Exec(w.ctx, w.namespace, p.Name, []string{"/talker", "unready"})
	must(t, err)
	w.awaitBudget(func(healthy int32) bool { return healthy == 0 })
	must(t, w.Evict(w.ctx, w.namespace, p.Name))
	w.await(func(pods []sluice.Pod) bool { return ready(pods) == 1 && pods[0].Name != p.Name })
}
