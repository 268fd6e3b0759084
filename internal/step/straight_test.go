package step_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// Pods that must not run beside each other, or whose last change got stuck, get no canary.
func TestWhatGoesStraight(t *testing.T) {
	recreate := func(o sluice.Object) { o.Set("Recreate", "spec", "strategy", "type") }
	stuck := func(o sluice.Object) {
		o.Set([]any{map[string]any{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}},
			"status", "conditions")
	}
	for name, tt := range map[string]struct {
		live, declared func(sluice.Object)
		note           string
	}{
		"it recreates":      {live: recreate, note: "strategy Recreate"},
		"it is to recreate": {declared: recreate, note: "strategy Recreate"},
		"no pod is ready": {live: func(o sluice.Object) {
			o.Set(int64(0), "status", "readyReplicas")
		}, note: "has no ready pod"},
		"its last change is stuck": {live: stuck, note: "is stuck"},
	} {
		t.Run(name, func(t *testing.T) {
			b := installed(t)
			if tt.live != nil {
				b.account.Amend(web, tt.live)
			}
			if tt.declared != nil {
				tt.declared(b.plan.Steps[0].Apply.Objects[4])
			}
			preview, err := b.must(t, "apply").Check(t.Context())
			if err != nil || !strings.Contains(strings.Join(preview.Notes, "\n"), tt.note) {
				t.Errorf("got %v, %v", preview.Notes, err)
			}
			for _, id := range []string{"apply", "canary/0", "canary/1", "promote"} {
				b.mustRun(t, id)
				if b.get(t, webCanary) != nil {
					t.Fatalf("after %s it has a canary", id)
				}
			}
			if imageIn(b.get(t, web)) != "web:2" {
				t.Errorf("the new version does not run:\n%s", b.account.Snapshot())
			}
		})
	}
}

// A set whose pods are broken is not held back: the release may be what repairs it.
func TestBrokenSetIsRepairedStraight(t *testing.T) {
	b := upgrading(t, func(sluice.Object) {})
	db := ref("apps/v1", "StatefulSet", "db")
	b.account.Amend(db, func(o sluice.Object) {
		o.Set(int64(2), "status", "readyReplicas")
		o.Set([]any{map[string]any{"type": "Stalled", "status": "True", "message": "pod db-2: CrashLoopBackOff"}}, "status",
			"conditions")
	})
	for _, id := range []string{"apply", "canary/0", "canary/1", "canary/2", "promote"} {
		b.mustRun(t, id)
	}
	o := b.get(t, db)
	if imageIn(o) != "db:2" || o.Number(0, "status", "readyReplicas") != 3 ||
		o.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition") != 0 {
		t.Errorf("it is not repaired:\n%s", b.account.Snapshot())
	}
}

// Where the old version serves nobody, there is nothing to compare the new one with.
func TestBrokenOldVersionIsReplacedStraight(t *testing.T) {
	b := installed(t)
	b.account.Break("web:1")
	p := b.mustRun(t, "apply")
	if imageIn(b.get(t, web)) != "web:2" || b.get(t, webCanary) != nil {
		t.Errorf("after apply:\n%s", b.account.Snapshot())
	}
	if err := b.must(t, "apply").Undo(t.Context(), p); err != nil || imageIn(b.get(t, web)) != "web:1" {
		t.Errorf("undo (%v) leaves:\n%s", err, b.account.Snapshot())
	}
}
