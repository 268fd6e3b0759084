package step_test

import (
	"context"
	"testing"

	"github.com/sluice-cd/sluice"
)

// A flickering account lists pods that are not ready, for as many times as it is told, although their workload says
// that they are: its controller has not seen yet that they ended.
type flickering struct {
	sluice.Account
	times *int
}

func (f flickering) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	pods, err := f.Account.Pods(ctx, namespace, of...)
	*f.times--
	for i := range pods {
		pods[i].Ready = pods[i].Ready && *f.times < 0
	}
	return pods, err
}

// A step is not done while a pod that it brought has ended again.
func TestStepIsNotDoneWithPodsThatEndedAgain(t *testing.T) {
	b := installed(t)
	for _, id := range []string{"apply", "canary/0", "canary/1", "promote"} {
		times := 1
		f := flickering{b.account.Abilities(), &times}
		account := b.account.Abilities()
		account.Host = f
		b.deps.Accounts["cluster"] = account
		p := b.mustRun(t, id)
		if times >= 0 || len(p.Result.Brought) == 0 {
			t.Errorf("%s looked at its pods only once, and brought %+v", id, p.Result)
		}
	}
}
