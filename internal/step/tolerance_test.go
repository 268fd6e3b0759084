package step_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
)

// tolerant runs a test of a stage whose target tolerates one unready pod of each workload.
func tolerant(t *testing.T, test func(s *stage), steps ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, steps...)
		defer s.stop()
		s.plan.Targets[0].MaxUnready = sluice.Tolerance{Pods: 1}
		test(s)
	})
}

// broughtPods returns the names of the pods that the steps bring: they follow from the plan alone.
func broughtPods(t *testing.T, owner string, steps ...string) (names []string) {
	t.Helper()
	tolerant(t, func(s *stage) {
		s.run()
		names = s.podsOf(owner)
	}, steps...)
	return names
}

func TestUnreadyPodIsToleratedUntilTheEnd(t *testing.T) {
	canary := broughtPods(t, "Deployment/web-canary", "apply", "half", "pause")[0]
	stable := broughtPods(t, "Deployment/web", "apply", "half", "promote", "pause")[0]
	for may, want := range map[int]sluice.Status{0: sluice.StatusRolledBack, 1: sluice.StatusSucceeded} {
		tolerant(t, func(s *stage) {
			s.plan.Targets[0].MaxUnready.Pods = may
			s.account.SetReady(namespace, canary, false)
			s.account.SetReady(namespace, stable, false)
			s.run()
			s.pass(2 * time.Minute)
			if may == 0 { // at the deadline
				s.pass(time.Hour)
			}
			if got := s.state().Outcome; got != want {
				t.Errorf("with %d tolerated the deployment is %q: %+v", may, s.state().Status(), s.last())
			}
		}, "apply", "half", "promote", "moment")
	}
}

func TestUnreadyPodIsRecorded(t *testing.T) {
	canary := broughtPods(t, "Deployment/web-canary", "apply", "half", "pause")[0]
	tolerant(t, func(s *stage) {
		s.account.SetReady(namespace, canary, false)
		s.run()
		brought := s.state().Steps["production/canary/1"].Progress.Result.Brought
		if len(brought) == 0 || brought[0].Unready != 1 || brought[0].Pods != len(s.newPods()) {
			t.Errorf("brought %+v", brought)
		}
	}, "apply", "half", "pause")
}

// A pod that was ready and is unwell counts as an unready one.
func TestGuardToleratesAsManyPods(t *testing.T) {
	for name, falls := range map[string]func(s *stage, pod string){
		"crashes":       func(s *stage, pod string) { s.account.Restart(namespace, pod) },
		"stays unready": func(s *stage, pod string) { s.account.SetReady(namespace, pod, false) },
	} {
		tolerant(t, func(s *stage) {
			s.run()
			falls(s, s.newPods()[0])
			s.pass(time.Minute)
			s.waiting("although one pod " + name)
			s.account.Restart(namespace, s.newPods()[1])
			synctest.Wait()
			s.failed("crashed", "2 pods are not well (1 may be unready)")
		}, "apply", "half", "pause")
	}
}

// A pod that is tolerated delays the end of no wait.
func TestToleratedPodIsNotInDoubt(t *testing.T) {
	tolerant(t, func(s *stage) {
		s.run()
		s.pass(57 * time.Second)
		s.account.SetReady(namespace, s.newPods()[0], false)
		s.pass(3 * time.Second)
		if got := s.state().Outcome; got != sluice.StatusSucceeded {
			t.Errorf("the deployment is %q: %+v", s.state().Status(), s.last())
		}
	}, "apply", "promote", "moment")
}
