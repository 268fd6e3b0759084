package ready

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// A stalled account has one Deployment, whose pods cannot be created.
type stalled struct {
	sluice.ClusterReader
	sluice.Host
	message string
}

func (s stalled) Follow(_ context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		yield(sluice.Object{
			"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{"name": ref.Name},
			"status": map[string]any{"conditions": []any{
				map[string]any{"type": "Stalled", "status": "True", "message": s.message},
			}},
		}, nil)
	}
}

func (stalled) Pods(context.Context, string, ...sluice.Ref) ([]sluice.Pod, error) { return nil, nil }

// An undo is tried again if other pods may make room, and not if the pods themselves are the reason.
func TestAFullQuotaMayPass(t *testing.T) {
	for message, want := range map[string]bool{
		`pods cannot be created: pods "web-1" is forbidden: exceeded quota: q, used: pods=8, limited: pods=8`: true,
		`pods cannot be created: admission webhook "p.example.com" denied the request: no root`:               false,
	} {
		a := stalled{message: message}
		w := Waiter{Account: sluice.Account{ClusterReader: a, Host: a}, Deadline: time.Now().Add(time.Minute),
			Now: time.Now, Report: func(sluice.Progress) {}}
		err := w.Ready(t.Context(), []sluice.Ref{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}})
		if sluice.ErrorCode(err) != sluice.Failed || sluice.MayPass(err) != want {
			t.Errorf("%s: %v, may pass %v", message, err, sluice.MayPass(err))
		}
	}
}
