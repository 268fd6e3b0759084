package step_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
)

// The controller of Deployments does not watch the progress of a canary, which is paused on clusters. The step does.
func TestCanaryThatGetsNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := installed(t)
		o := workload("Deployment", "web", "web:unready", fromConfigMap("web"))
		o.Set(int64(20), "spec", "progressDeadlineSeconds")
		b.plan.Steps[0].Apply.Objects[4] = o
		began := time.Now()
		_, err := b.run(t, "apply")
		if sluice.ErrorCode(err) != sluice.Failed ||
			!strings.Contains(err.Error(), "Deployment/web-canary got no further for 20s: 0 of 3 replicas ready") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
