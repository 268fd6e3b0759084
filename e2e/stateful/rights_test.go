package stateful_test

import (
	"strings"
	"testing"
)

// robot adds the account robot to sluice.yaml, with the credentials of a ServiceAccount of the namespace. The files of
// deploy/ give it its rights.
func (s store) robot(features ...string) {
	s.Helper()
	s.Grant(features...)
	s.Login("sluice")
	s.Write("sluice.yaml", "accounts: {cluster01: {type: kubernetes, kubeconfig: robot}}\n")
}

func TestMissingRightsAreFoundBeforehand(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.Value("Update", "{type: OnDelete}") // so Sluice evicts the pods
	s.robot("observe", "logs", "apply")
	s.release("v1")
	before := s.Snapshot()
	const denied = 6
	for _, command := range [][]string{{"plan", "-f", "deploy.yaml"}, {"doctor", "-f", "deploy.yaml"},
		{"run", "-f", "deploy.yaml"}} {
		out, status := s.Sluice(command...)
		if status != denied {
			t.Errorf("sluice %s ends with status %d, want %d", command[0], status, denied)
		}
		says(t, out, "pods/eviction", "kubectl apply --namespace "+s.Namespace+" -f deploy/rollout.yaml")
		if strings.Contains(out, "deploy/observe.yaml") || strings.Contains(out, "deploy/apply.yaml") {
			t.Errorf("sluice %s reports missing rights although none is missing:\n%s", command[0], out)
		}
	}
	s.Unchanged(before)

	s.robot("rollout")
	s.Await("the rights to hold", func() bool {
		_, status := s.Sluice("doctor", "-f", "deploy.yaml")
		return status == 0
	})
	s.Run()
	s.expect("v1 v1 v1")
}

// A deployment goes on without the rights that only make errors better, and says so.
func TestDispensableRightsStopNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t, stepwise)
	s.robot("observe", "apply")
	s.release("v1")
	out, status := s.Sluice("plan", "-f", "deploy.yaml")
	if status != 0 {
		t.Errorf("sluice plan ends with status %d", status)
	}
	says(t, out, "missing rights that deployments go on without", "pods/log", "pods/eviction")
	s.Run()
	s.release("v2")
	out, status = s.Sluice("run", "-f", "deploy.yaml")
	if status != 0 {
		t.Errorf("sluice run ends with status %d:\n%s", status, out)
	}
	says(t, out, "warning: rights are missing without which errors say less")
	s.expect("v2 v2 v2")
}
