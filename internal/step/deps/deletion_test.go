package deps_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
)

// A held account deletes an object when its finalizers are gone.
type held struct {
	sluice.ClusterReader
	sluice.ClusterWriter
	began      time.Time
	finalizers map[time.Duration][]any // since when
}

func (h *held) now() (list []any) {
	latest := time.Duration(-1)
	for since, names := range h.finalizers {
		if since > latest && since <= time.Since(h.began) {
			latest, list = since, names
		}
	}
	return list
}

func (h *held) Get(_ context.Context, ref sluice.Ref) (sluice.Object, error) {
	o := ref.Absent()
	o.Set(h.now(), "metadata", "finalizers")
	return o, nil
}

func (h *held) Delete(ctx context.Context, _ sluice.Ref) error {
	for len(h.now()) > 0 && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}

// What holds a deletion back is told within seconds, and again only if it changes.
func TestADeletionThatTakesLongSaysWhatItWaitsFor(t *testing.T) {
	for name, test := range map[string]struct {
		finalizers map[time.Duration][]any
		want       []string
	}{
		"gone at once": {nil, nil},
		"gone soon":    {map[time.Duration][]any{0: {"a"}, time.Second: nil}, nil},
		"held": {map[time.Duration][]any{0: {"a"}, 19 * time.Second: nil},
			[]string{"2s ConfigMap/c is being deleted; it waits for the finalizer a"}},
		"held by one after the other": {map[time.Duration][]any{0: {"a", "b"}, 5 * time.Second: {"b"}, 9 * time.Second: nil},
			[]string{"2s ConfigMap/c is being deleted; it waits for the finalizers a, b",
				"6s ConfigMap/c is being deleted; it waits for the finalizer b"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &held{began: time.Now(), finalizers: test.finalizers}
				var got []string
				d := deps.Deps{Accounts: map[string]sluice.Account{"c1": {ClusterReader: h, ClusterWriter: h}}}
				a, err := d.Reporting(func(p sluice.Progress) {
					got = append(got, time.Since(h.began).String()+" "+p.Message)
				}).Account("c1", sluice.Position{})
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Delete(t.Context(), sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Name: "c"}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
