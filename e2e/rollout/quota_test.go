package rollout_test

import (
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice"
)

const most = "canary: {steps: [{setWeight: {weight: 75}}, {pause: {untilApproved: true}}]}"

// A quota for the pods of both versions is enough for a release, and for its undo.
func TestQuotaOfTwiceThePods(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(most)
	s.Put("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: pods}\nspec: {hard: {pods: 8}}\n")
	before := s.Snapshot()
	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.command("rollback")
	s.RollsBack(p)
	s.Unchanged(before, "ResourceQuota/pods")
	p = s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.approve()
	s.Ends(sluice.StatusSucceeded, p)
	s.expect("web", map[string]int{"v2": 4})
}

// A release that changes the number of pods together with their version ends with the number that the file says.
func TestReplicasChangeWithTheVersion(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed("canary: {steps: [{setWeight: {weight: 50}}]}")
	for i, n := range []int{2, 6} {
		version := fmt.Sprintf("v%d", i+2)
		s.Value("Replicas", fmt.Sprintf("replicas: %d", n))
		s.release(version, "green")
		s.Run()
		s.expect("web", map[string]int{version: n})
		if got := s.Get("Deployment", "web").Number(-1, "spec", "replicas"); got != n {
			t.Errorf("the Deployment wants %d pods, not %d", got, n)
		}
	}
}
