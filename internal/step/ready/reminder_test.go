package ready

import (
	"context"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
)

// An initializing account has one Deployment, whose pod's init container runs for half a minute.
type initializing struct {
	sluice.ClusterReader
	sluice.Host
}

func (initializing) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	deployment := func(ready int) sluice.Object {
		return sluice.Object{
			"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{"name": ref.Name},
			"spec": map[string]any{"replicas": 1}, "status": map[string]any{
				"replicas": 1, "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready},
		}
	}
	return func(yield func(sluice.Object, error) bool) {
		if yield(deployment(0), nil) {
			time.Sleep(35 * time.Second)
			yield(deployment(1), nil)
		}
	}
}

func (initializing) Pods(context.Context, string, ...sluice.Ref) ([]sluice.Pod, error) {
	return []sluice.Pod{
		{Name: "other-1", Owner: "Deployment/other", Reason: "it is starting"},
		{Name: "web-1", Owner: "Deployment/web", Reason: "init container setup runs"},
	}, nil
}

// A pod that waits sends no events: the report says all the same why it is not ready.
func TestAWaitSaysWhyAPodIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := initializing{}
		var said []string
		w := Waiter{Account: sluice.Account{ClusterReader: a, Host: a}, Deadline: time.Now().Add(time.Minute),
			Now: time.Now, Report: func(p sluice.Progress) { said = append(said, p.Message) }}
		if err := w.Ready(t.Context(), []sluice.Ref{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}); err != nil {
			t.Fatal(err)
		}
		const waits = "Deployment/web: 0 of 1 replicas ready"
		const because = waits + "; pod web-1: init container setup runs"
		if want := []string{waits, because, because, because}; !slices.Equal(said, want) {
			t.Errorf("%q", said)
		}
	})
}
