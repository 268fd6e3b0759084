package steptest

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/accounttest"
)

func TestAccount(t *testing.T) {
	accounttest.Run(t, func(*testing.T) accounttest.World {
		a := NewAccount()
		a.slow = 20 * time.Millisecond
		return accounttest.World{
			Account: a.Abilities(), Namespace: "test",
			Container: func(p accounttest.Program, version int) map[string]any {
				image := map[accounttest.Program]string{
					accounttest.Starts: "slow", accounttest.Breaks: "broken", accounttest.Falls: "falls",
				}[p]
				return map[string]any{"name": "main", "image": fmt.Sprintf("%s%s:%d", p, image, version)}
			},
			Edit: func(ref sluice.Ref, change func(sluice.Object)) (string, error) {
				a.Edit(ref, change)
				return Somebody, nil
			},
			ScaleByHand: func(ref sluice.Ref, replicas int) error {
				a.Edit(ref, func(o sluice.Object) { o.Set(int64(replicas), "spec", "replicas") })
				return nil
			},
			Lacks: map[accounttest.Ability]string{
				accounttest.Schemas:     "an object of any shape may be in memory",
				accounttest.Processes:   "no program runs in memory",
				accounttest.DaemonSets:  "there are no nodes",
				accounttest.ReplicaSets: "pods belong to their Deployment itself",
				accounttest.Addresses:   "nothing listens on this machine",
			},
		}
	})
}
