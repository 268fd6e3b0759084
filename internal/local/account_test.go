package local_test

import (
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice/internal/accounttest"
)

func TestAccount(t *testing.T) {
	accounttest.Run(t, func(t *testing.T) accounttest.World {
		t.Parallel()
		a := open(t)
		a.apply("{apiVersion: v1, kind: Namespace, metadata: {name: test}}")
		return accounttest.World{
			Account: a.Abilities(), Namespace: "test",
			Container: container,
			Exec: func(text string, status int) []string {
				return []string{"/bin/sh", "-c", `printf "$1"; exit "$2"`, "sh", text, fmt.Sprint(status)}
			},
			Lacks: map[accounttest.Ability]string{
				accounttest.FieldOwners: "only Sluice writes to it",
				accounttest.DaemonSets:  "there are no nodes",
				accounttest.ReplicaSets: "pods belong to their Deployment itself",
				accounttest.Budgets:     "it does not run PodDisruptionBudgets: nothing but Sluice evicts a pod",
			},
		}
	})
}

// container runs one of the programs of this test binary.
func container(p accounttest.Program, version int) map[string]any {
	image := map[accounttest.Program]string{
		accounttest.Serves: "web", accounttest.Starts: "web", accounttest.Speaks: "speak", accounttest.Breaks: "broken",
		accounttest.Falls: "falls", accounttest.Ends: "exit", accounttest.Fails: "fail",
	}[p]
	c := map[string]any{"name": "main", "image": fmt.Sprintf("%s:%d", image, version), "args": []any{"0"}}
	if image != "web" && image != "falls" {
		return c
	}
	probe := map[string]any{
		"httpGet": map[string]any{"path": "/ready",
			"port": int64(8080)}, "periodSeconds": int64(1), "failureThreshold": int64(1),
	}
	if p == accounttest.Starts {
		probe["initialDelaySeconds"] = int64(1)
	}
	c["readinessProbe"] = probe
	return c
}
