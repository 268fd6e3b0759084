package step_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// A curtained account lacks the rights to read logs and to evict pods.
type curtained struct{ *steptest.Account }

func (curtained) Logs(context.Context, string, string, int) ([]string, error) {
	return nil, sluice.Errorf(sluice.Denied, "ci may not get pods/log in namespace prod")
}

func (curtained) Evict(context.Context, string, string) error {
	return sluice.Errorf(sluice.Denied, "ci may not create pods/eviction in namespace prod")
}

func (b *bench) curtain() {
	account := b.account.Abilities()
	account.Host = curtained{b.account}
	b.deps.Accounts["cluster"] = account
}

// Without the right to read logs, an error still says which pod fails and why, and which right is missing.
func TestErrorsWithoutTheRightToReadLogs(t *testing.T) {
	b := newBench()
	b.add("apply", applying(false, workload("Deployment", "web", "web:broken")))
	b.curtain()
	_, err := b.run(t, "apply")
	if sluice.ErrorCode(err) != sluice.Failed {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"Deployment/web cannot become ready", "pod web-", "CrashLoopBackOff", "ci may not get pods/log",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// Without the right to evict pods, undo leaves the broken ones to others and puts everything else back.
func TestUndoWithoutTheRightToEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.add("install", applying(false, workload("StatefulSet", "db", "db:1")))
		b.mustRun(t, "install")
		was := b.account.Snapshot()
		b.plan.Steps = nil
		b.add("apply", applying(false, workload("StatefulSet", "db", "db:broken")))
		b.curtain()
		p, err := b.run(t, "apply")
		if sluice.ErrorCode(err) != sluice.Failed {
			t.Errorf("the broken version is applied: %v", err)
		}
		if err := b.must(t, "apply").Undo(t.Context(), p); sluice.ErrorCode(err) == sluice.Denied {
			t.Errorf("undo: %v", err)
		}
		if got := b.account.Snapshot(); got != was {
			t.Errorf("after undo: %s", got)
		}
	})
}
