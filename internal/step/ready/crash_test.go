package ready

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// A crashing account has one Deployment, whose pod has been restarted once more whenever somebody looks.
type crashing struct {
	sluice.ClusterReader
	sluice.Host
	restarts int
}

func (c *crashing) Follow(_ context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	deployment := func(ready int) sluice.Object {
		return sluice.Object{
			"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{"name": ref.Name},
			"spec": map[string]any{"replicas": 1}, "status": map[string]any{
				"replicas": 1, "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready},
		}
	}
	return func(yield func(sluice.Object, error) bool) {
		for _, ready := range []int{0, 0, 0, 1} {
			if !yield(deployment(ready), nil) {
				return
			}
		}
	}
}

func (c *crashing) Pods(context.Context, string, ...sluice.Ref) ([]sluice.Pod, error) {
	c.restarts++
	p := sluice.Pod{Name: "web-1", Owner: "Deployment/web", Restarts: c.restarts, LastEnd: "it ended with status 3"}
	return []sluice.Pod{p}, nil
}

func (c *crashing) Logs(context.Context, string, string, int) ([]string, error) {
	return []string{"no more coffee"}, nil
}

// Of a pod that crashes while its workload is awaited the report says so at once, but not that it crashed before.
func TestACrashIsReported(t *testing.T) {
	a := &crashing{restarts: 7}
	var said []string
	w := Waiter{Account: sluice.Account{ClusterReader: a, Host: a}, Deadline: time.Now().Add(time.Minute),
		Now: time.Now, Report: func(p sluice.Progress) { said = append(said, p.Message) }}
	if err := w.Ready(t.Context(), []sluice.Ref{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}); err != nil {
		t.Fatal(err)
	}
	const crash = "\npod web-1 crashed: it ended with status 3 (restarts: 9)\n  no more coffee"
	if len(said) != 3 || strings.Contains(said[0], "crashed") {
		t.Errorf("%q", said)
	}
	for _, message := range said[1:] {
		if !strings.HasSuffix(message, crash) {
			t.Errorf("%q does not end with %q", message, crash)
		}
	}
}
