package step_test

import (
	"testing"
)

// Whoever scales the stable Deployment up during a rollout gets as many pods of the new version, however the traffic is
// divided.
func TestScaleUpDuringARolloutIsKept(t *testing.T) {
	for name, prepare := range map[string]func(*bench){
		"by weights":             func(*bench) {},
		"by the numbers of pods": func(b *bench) { b.account.DivideByPods() },
	} {
		t.Run(name, func(t *testing.T) {
			b := installed(t)
			prepare(b)
			b.mustRun(t, "apply")
			b.mustRun(t, "canary/0")
			if err := b.account.Scale(t.Context(), web, 5); err != nil {
				t.Fatal(err)
			}
			b.mustRun(t, "canary/1")
			for _, r := range []string{"web", "web-canary"} {
				if n := b.get(t, ref("apps/v1", "Deployment", r)).Number(0, "spec", "replicas"); n != 5 {
					t.Errorf("at 50 %% %s has %d pods, want 5", r, n)
				}
			}
		})
	}
}
