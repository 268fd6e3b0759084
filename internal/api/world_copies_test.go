package api_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// copies has one account in memory. verify is called for each verification, and tail, if it is not nil, for each
// connection that follows a pod.
type copies struct {
	account *steptest.Account
	verify  func(ctx context.Context, report func(sluice.Amount)) error
	tail    func(ctx context.Context) iter.Seq2[string, error]
}

func newCopies() *copies {
	return &copies{
		account: steptest.NewAccount(), verify: func(context.Context, func(sluice.Amount)) error { return nil },
	}
}

func (*copies) CheckBranch(sluice.Branch) error { return nil }

func (*copies) MakeBranch(
	_ context.Context, _ *sluice.Plan, b sluice.Branch, _ func(sluice.Progress),
) (service.ReachedBranch, error) {
	return service.ReachedBranch{Branch: b}, nil
}

func (c *copies) Verify(ctx context.Context, _ sluice.Checkpoint, report func(sluice.Amount)) error {
	return c.verify(ctx, report)
}

func (c *copies) Answering(_ context.Context, use func(server.Answering) error) error {
	account := c.account.Abilities()
	account.Writers = nil // as on this machine, where no Job ends a branch
	return use(server.Answering{
		Accounts: map[string]sluice.Account{"cluster01": account},
		Unopened: map[string]error{"cluster02": sluice.Errorf(sluice.Unavailable, "there is no ~/.kube/config")},
	})
}

// Logs and Tail are of a pod that wrote three lines.
func (*copies) Logs(_ context.Context, _ server.PodName, lines int) ([]string, error) {
	all := []string{"one", "two", "three"}
	return all[max(0, len(all)-lines):], nil
}

func (c *copies) Tail(ctx context.Context, pod server.PodName) iter.Seq2[string, error] {
	if c.tail != nil {
		return c.tail(ctx)
	}
	return func(yield func(string, error) bool) {
		if pod.Name == "gone" {
			yield("", sluice.Errorf(sluice.NotFound, "there is no pod gone"))
			return
		}
		all, _ := c.Logs(ctx, pod, 3)
		for _, line := range all {
			if !yield(line, nil) {
				return
			}
		}
	}
}

// branch puts a branch of the application into the account, unless it is there.
func (c *copies) branch(t *testing.T, application, namespace string) sluice.Branch {
	t.Helper()
	b := sluice.Branch{
		Name: namespace, Account: "cluster01", Namespace: namespace, Application: application, Target: "staging",
		Checkpoint: "c1", MadeAt: time.Now().UTC().Truncate(time.Second),
	}
	b.Expires = b.MadeAt.Add(time.Hour)
	note, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	o := sluice.Object{"apiVersion": "v1", "kind": "Namespace"}
	o.Set(namespace, "metadata", "name")
	o.Set("branch", "metadata", "labels", sluice.CopyLabel)
	o.Set(string(note), "metadata", "annotations", "sluice-cd.github.io/branch")
	o.Set(b.Expires.Format(time.RFC3339), "metadata", "annotations", sluice.CopyExpires)
	if _, _, err := c.account.Apply(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	return b
}
