package step_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/step"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A stage is a deployment of version 2 of the shop that an engine runs on an account in memory.
type stage struct {
	*testing.T
	*bench
	store  *storetest.Memory
	engine *engine.Engine
	id     sluice.DeploymentID
}

// hanging is a server that accepts every call and answers none but those that wait for a callback.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "answers" {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// newStage returns the deployment of these steps, one after the other. It does not run yet.
func newStage(t *testing.T, steps ...string) *stage {
	b := installed(t)
	b.plan.Steps = nil
	b.plan.Targets = []sluice.PlannedTarget{
		{Name: "production", Account: "cluster", Namespace: namespace, AfterFailure: "rollBack"},
	}
	var before []sluice.StepID
	for i, name := range steps {
		phase := "canary"
		if name == "apply" || name == "promote" {
			phase = name
		} else if slices.Contains(steps[:i], "promote") {
			phase = "after"
		}
		b.add(fmt.Sprintf("%s/%d", phase, i), kinds[name])
		b.plan.Steps[i].After = before
		before = []sluice.StepID{b.plan.Steps[i].ID}
	}
	b.deps.Now = time.Now
	b.deps.HTTP = &http.Client{Transport: hanging{}}
	b.deps.Callbacks = callbacks
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": answers{}}
	return &stage{T: t, bench: b, store: storetest.NewMemory()}
}

// kinds are the steps of the stages.
var kinds = map[string]sluice.StepSpec{
	"apply": applying(true, release("2")...), "half": weight(50), "promote": promoting(),
	"moment":   {Kind: sluice.KindPause, Pause: &sluice.Pause{Duration: time.Minute}},
	"pause":    {Kind: sluice.KindPause, Pause: &sluice.Pause{Duration: time.Hour}},
	"approval": {Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true}},
	"analysis": analysing(func(a *sluice.Analysis) { a.Runs = 1000 }),
	"callback": calling(sluice.Webhook{Name: "tests", URITemplate: "http://answers/"}),
	"webhook":  calling(sluice.Webhook{Name: "tests", URITemplate: "http://hangs/", DisableCallback: true}),
	"waitFor": {Kind: sluice.KindWaitFor, WaitFor: &sluice.WaitFor{Object: "ConfigMap/absent", JSONPath: ".data.x",
		Timeout: time.Hour}},
	"runJob": job("check:unready"),
}

// waits are the kinds that wait for longer than a test takes.
var waits = []string{"pause", "approval", "analysis", "callback", "webhook", "waitFor", "runJob"}

// run runs the deployment by a new engine. The engine before it ends as after kill -9: the log does not say so.
func (s *stage) run() {
	s.Helper()
	s.stop()
	s.engine = engine.New(engine.Config{
		Store: s.store, Steps: step.New(s.deps), Now: time.Now, Random: bytes.NewReader(make([]byte, 8)),
	})
	err := error(nil)
	if s.id == "" {
		s.id, err = s.engine.Start(s.Context(), s.plan, sluice.Actor{Name: "ana"})
	} else {
		err = s.engine.Resume(s.Context())
	}
	if err != nil {
		s.Fatal(err)
	}
	s.pass(time.Second)
}

func (s *stage) stop() {
	if s.engine == nil {
		return
	}
	if err := s.engine.Stop(context.Background()); err != nil {
		s.Error(err)
	}
}

// pass lets the time pass.
func (s *stage) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *stage) state() *engine.State {
	s.Helper()
	state, err := engine.Fold(s.id, s.store.Read(s.Context(), s.id, 0))
	if err != nil {
		s.Fatal(err)
	}
	return state
}

// last is the last step of the plan.
func (s *stage) last() *engine.StepRun {
	s.Helper()
	return s.state().Steps[s.plan.Steps[len(s.plan.Steps)-1].ID]
}

// newPods returns those of the new version that serve at the last step: of the canary or, after promotion, of the
// Deployment.
func (s *stage) newPods() []string {
	s.Helper()
	owner := "Deployment/web-canary"
	if s.last().Plan.Phase == sluice.PhaseAfter {
		owner = "Deployment/web"
	}
	return s.podsOf(owner)
}

func (s *stage) podsOf(owner string) []string {
	s.Helper()
	all, err := s.account.Pods(s.Context(), namespace)
	if err != nil {
		s.Fatal(err)
	}
	var names []string
	for _, p := range all {
		if p.Owner == owner {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		s.Fatalf("%s has no pods: %+v", owner, all)
	}
	return names
}

// waiting fails the test unless the last step waits or works.
func (s *stage) waiting(when string) {
	s.Helper()
	if r := s.last(); r.Failure != nil || r.StartedAt.IsZero() || !r.EndedAt.IsZero() {
		s.Fatalf("%s the step is %s: %+v", when, r.Phase, r.Failure)
	}
}

// failed fails the test unless the last step has failed because of the pod, and its target is undone.
func (s *stage) failed(words ...string) {
	s.Helper()
	r := s.last()
	if r.Failure == nil {
		s.Fatalf("the step is %s, and did not fail", r.Phase)
	}
	for _, word := range words {
		if !strings.Contains(r.Failure.Message+r.Failure.Hint, word) {
			s.Errorf("%q does not say %q", r.Failure.Message, word)
		}
	}
	if s.state().Outcome != sluice.StatusRolledBack {
		s.Errorf("the deployment is %q", s.state().Status())
	}
}

// staged runs a test of a stage in time of its own.
func staged(t *testing.T, test func(s *stage), steps ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, steps...)
		defer s.stop()
		s.run()
		s.waiting("at first")
		test(s)
	})
}

// eachWait runs a test at each kind of wait, before and after promotion.
func eachWait(t *testing.T, test func(s *stage)) {
	for _, wait := range waits {
		t.Run(wait+" of the strategy", func(t *testing.T) { staged(t, test, "apply", "half", wait) })
		t.Run(wait+" after the deployment", func(t *testing.T) { staged(t, test, "apply", "promote", wait) })
	}
}

// A crash fails the step at once, although the pod is ready again.
func TestCrashEndsEveryKindOfWait(t *testing.T) {
	eachWait(t, func(s *stage) {
		pod := s.newPods()[0]
		s.account.Restart(namespace, pod)
		synctest.Wait()
		s.failed(pod, "crashed", "it ended with status 3", "restarts: 1", "last words of "+pod,
			"sluice logs --pod "+namespace+"/"+pod)
	})
}

func TestCrashWhileNobodyRanTheDeploymentEndsEveryKindOfWait(t *testing.T) {
	eachWait(t, func(s *stage) {
		s.stop()
		s.account.Restart(namespace, s.newPods()[0])
		s.run()
		s.failed("crashed")
	})
}

// Restarts that the pods had when they were brought do not count, also after a crash of Sluice.
func TestEarlierRestartsAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "apply", "promote", "pause")
		defer s.stop()
		for _, pod := range s.podsOf("StatefulSet/db") {
			s.account.Restart(namespace, pod)
		}
		s.run()
		s.run()
		s.pass(time.Minute)
		s.waiting("after restarts of before")
		s.account.Restart(namespace, s.podsOf("StatefulSet/db")[0])
		synctest.Wait()
		s.failed("StatefulSet/db", "restarts: 2")
	})
}

func TestPodThatStaysUnreadyEndsEveryKindOfWait(t *testing.T) {
	eachWait(t, func(s *stage) {
		s.account.SetReady(namespace, s.newPods()[0], false)
		s.pass(8 * time.Second)
		s.waiting("within the grace")
		s.pass(3 * time.Second)
		s.failed("was ready", "its readiness probe fails")
	})
}

// If it is known that a pod cannot become ready, nobody waits for the end of the grace.
func TestPodThatCannotBecomeReadyEndsEveryKindOfWait(t *testing.T) {
	eachWait(t, func(s *stage) {
		s.account.Break("web:2")
		synctest.Wait()
		s.failed("cannot become ready", "CrashLoopBackOff")
	})
}

func TestPodThatIsReadyAgainSoonIsWell(t *testing.T) {
	eachWait(t, func(s *stage) {
		pod := s.newPods()[0]
		for range 2 {
			s.account.SetReady(namespace, pod, false)
			s.pass(9 * time.Second)
			s.account.SetReady(namespace, pod, true)
			s.pass(2 * time.Second)
		}
		s.waiting("although the pod is ready")
	})
}

// A wait that ends while a pod is in doubt is done only when the pod is well.
func TestWaitDoesNotEndInDoubt(t *testing.T) {
	for _, heals := range []bool{true, false} {
		staged(t, func(s *stage) {
			pod := s.newPods()[0]
			s.pass(57 * time.Second)
			s.account.SetReady(namespace, pod, false)
			s.pass(6 * time.Second)
			s.waiting("while the pod is in doubt")
			s.account.SetReady(namespace, pod, heals)
			s.pass(6 * time.Second)
			if !heals {
				s.failed("was ready")
			} else if s.state().Outcome != sluice.StatusSucceeded {
				t.Errorf("the deployment is %q: %+v", s.state().Status(), s.last())
			}
		}, "apply", "promote", "moment")
	}
}

// An account that is away fails no wait. What happened meanwhile is seen when it is back.
func TestAccountThatIsAwayEndsNoWait(t *testing.T) {
	staged(t, func(s *stage) {
		pod := s.newPods()[0]
		s.account.SetAway(true)
		s.pass(10 * time.Minute)
		s.waiting("while the account is away")
		s.account.Restart(namespace, pod)
		s.account.SetAway(false)
		s.pass(10 * time.Second)
		s.failed("crashed")
	}, "apply", "half", "pause")
	staged(t, func(s *stage) {
		s.account.SetAway(true)
		s.pass(10 * time.Minute)
		s.waiting("while nobody knows how the pods are")
		s.account.SetAway(false)
		s.pass(10 * time.Second)
		if s.state().Outcome != sluice.StatusSucceeded {
			t.Errorf("the deployment is %q: %+v", s.state().Status(), s.last())
		}
	}, "apply", "promote", "moment")
}

func TestGuardLeavesOthersAlone(t *testing.T) {
	for name, happens := range map[string]func(s *stage){
		"a pod of the old version crashes":   crashing("Deployment/web"),
		"a pod that is held back crashes":    crashing("StatefulSet/db"),
		"a pod of the new one is evicted":    (*stage).evict,
		"an autoscaler adds pods":            func(s *stage) { s.must(s.account.Scale(s.Context(), webCanary, 5)) },
		"somebody restarts the old one":      func(s *stage) { s.account.Edit(web, restarted) },
		"pods that come start for some time": (*stage).addSlowly,
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, func(s *stage) {
				happens(s)
				s.pass(time.Minute)
				s.waiting("although " + name)
				s.run()
				s.waiting("after a crash of Sluice, although " + name)
			}, "apply", "half", "pause")
		})
	}
}

// A pod that came later counts as the others once it was ready.
func TestPodThatCameLaterIsGuarded(t *testing.T) {
	staged(t, func(s *stage) {
		s.addSlowly()
		s.pass(time.Minute)
		s.account.Restart(namespace, s.newPods()[3])
		synctest.Wait()
		s.failed("crashed")
	}, "apply", "half", "pause")
}

func crashing(owner string) func(s *stage) {
	return func(s *stage) { s.account.Restart(namespace, s.podsOf(owner)[0]) }
}

func (s *stage) evict() { s.must(s.account.Evict(s.Context(), namespace, s.newPods()[0])) }

// addSlowly adds a pod that needs half a minute to become ready.
func (s *stage) addSlowly() {
	late := strings.TrimSuffix(s.newPods()[0], "0") + "3"
	s.account.SetReady(namespace, late, false)
	s.must(s.account.Scale(s.Context(), webCanary, 4))
	s.pass(30 * time.Second)
	s.account.SetReady(namespace, late, true)
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func restarted(o sluice.Object) {
	o.Set("now", "spec", "template", "metadata", "annotations", "restartedAt")
}
