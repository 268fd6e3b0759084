package rollout_test

import (
	"strings"
	"testing"
	"time"
)

const threeSteps = `
canary:
  steps:
    - setWeight: {weight: 25}
    - setWeight: {weight: 50}
    - setWeight: {weight: 100}
`

// A first deployment asks nobody: there is no old version to protect.
func TestFirstDeploymentGoesStraightTo100(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.file(`
canary:
  steps:
    - setWeight: {weight: 25}
    - pause: {untilApproved: true}
    - setWeight: {weight: 100}
`)
	s.release("v1", "blue")
	r := s.Run()
	s.expect("web", map[string]int{"v1": 4})
	if s.There("Deployment", "web-canary") {
		t.Error("a first deployment has a canary")
	}
	t.Logf("took %s\n%s", r.Took.Round(10*time.Millisecond), r.Story())
}

func TestFailedFirstDeploymentLeavesNothing(t *testing.T) {
	t.Parallel()
	t.Run("Never", func(t *testing.T) {
		t.Parallel()
		testFailedFirst(t, "Never", "ErrImageNeverPull", 30*time.Second)
	})
	// A registry that does not answer may return, so it gets a minute.
	t.Run("IfNotPresent", func(t *testing.T) {
		t.Parallel()
		testFailedFirst(t, "IfNotPresent", "ErrImagePull", 2*time.Minute)
	})
}

// testFailedFirst delivers an image that does not exist: its registry does not answer.
func testFailedFirst(t *testing.T, pull, reason string, limit time.Duration) {
	s := newShop(t)
	s.file(threeSteps)
	before := s.Snapshot()
	s.Value("Image", "127.0.0.1:9/nosuch:1")
	s.Value("Pull", pull)
	s.release("v1", "blue")
	r := s.RollsBack(s.Start("run", "-f", "deploy.yaml"))
	message := r.Failures["production/apply"].Message
	for _, want := range []string{"Deployment/web cannot become ready", "pod web-", reason} {
		if !strings.Contains(message, want) {
			t.Errorf("the error does not say %q:\n%s", want, message)
		}
	}
	if r.Took > limit {
		t.Errorf("it was reported only after %s", r.Took)
	}
	s.Unchanged(before)
	if out := s.command("logs"); !strings.Contains(out, reason) {
		t.Errorf("sluice logs does not tell why:\n%s", out)
	}
	t.Logf("took %s: %s", r.Took.Round(10*time.Millisecond), message)
}
