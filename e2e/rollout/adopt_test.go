package rollout_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

const quarters = `
canary:
  steps:
    - setWeight: {weight: 25}
    - pause: {untilApproved: true}
    - setWeight: {weight: 50}
    - pause: {untilApproved: true}
    - setWeight: {weight: 75}
    - pause: {untilApproved: true}
    - setWeight: {weight: 100}
    - pause: {untilApproved: true}
`

// pauses are where a release with quarters waits, and how many of its four pods it has started by then.
var pauses = []struct {
	id      sluice.StepID
	started int
}{{"production/canary/1", 1}, {"production/canary/3", 4}, {"production/canary/5", 4}, {"production/canary/7", 4}}

// uids returns those of the Deployment's pods, sorted.
func (s shop) uids(deployment string) []string {
	s.Helper()
	var all []string
	for _, p := range s.PodsOf(deployment) {
		all = append(all, p.Text("metadata", "uid"))
	}
	slices.Sort(all)
	return all
}

// goesOn approves the release at each of its pauses until the one with the number, where it stays.
func (s shop) goesOn(p *world.Process, pause int) {
	s.Helper()
	for i := range pause {
		p.Await(waits(pauses[i].id))
		s.approve()
	}
	p.Await(waits(pauses[pause].id))
}

// A release starts each of its pods once: the stable Deployment adopts them at promotion. No stable pod ends before.
func TestEachPodOfAReleaseStartsOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(quarters)
	stable := s.uids("web")
	load, lowest, started := s.Load("web", 80, "/version"), s.Lowest("app=web"), s.Started("app=web")

	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	for i, pause := range pauses {
		p.Await(waits(pause.id))
		if n := started.Count(); n != pause.started {
			t.Errorf("at %s, %d pods were started, want %d", pause.id, n, pause.started)
		}
		if now := s.uids("web"); !slices.Equal(now, stable) {
			t.Errorf("at %s, the stable pods are %v, and were %v", pause.id, now, stable)
		}
		if i < len(pauses)-1 {
			s.approve()
		}
	}
	canary := s.uids("web-canary")
	s.approve()
	s.Ends(sluice.StatusSucceeded, p)
	if now := s.uids("web"); !slices.Equal(now, canary) {
		t.Errorf("promoted, the pods are %v, and those of the canary were %v", now, canary)
	}
	s.expect("web", map[string]int{"v2": 4})
	if n := started.Count(); n != 4 {
		t.Errorf("%d pods were started, want 4", n)
	}
	if n := lowest.Stop(); n < 4 {
		t.Errorf("there were only %d ready pods once", n)
	}
	load.Perfect()
	s.undoneByHand("v1")
}

// undoneByHand does what kubectl rollout undo does: it gives the Deployment the template of the revision before.
func (s shop) undoneByHand(version string) {
	s.Helper()
	templates := map[string]sluice.Object{}
	for _, set := range s.List("ReplicaSet", "app=web") {
		template, _ := set.Field("spec", "template").(map[string]any)
		templates[world.Annotation(set, "deployment.kubernetes.io/revision")] = template
	}
	history := slices.Sorted(maps.Keys(templates))
	if len(history) != 2 || history[0] == "" {
		s.Fatalf("the revisions of the Deployment are %q", history)
	}
	before := templates[history[0]]
	delete(before.Field("metadata", "labels").(map[string]any), traffic.HashLabel)
	now, _ := s.Get("Deployment", "web").Field("spec", "template").(map[string]any)
	patch := sluice.Object{}
	patch.Set(traffic.Difference(now, before), "spec", "template")
	data, err := json.Marshal(patch)
	if err != nil {
		s.Fatal(err)
	}
	s.Patch("Deployment", "web", string(data))
	s.Ready("Deployment", "web")
	s.expect("web", map[string]int{version: 4})
	if n := len(s.List("ReplicaSet", "app=web")); n != 2 {
		s.Errorf("after the undo there are %d ReplicaSets: the earlier one was not found", n)
	}
}

// An undo ends the canary's pods and nothing else, wherever the release was.
func TestUndoReplacesNoStablePod(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(quarters)
	stable, before := s.uids("web"), s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")
	s.release("v2", "green")
	for i, pause := range pauses {
		started := s.Started("app=web")
		p := s.Start("run", "-f", "deploy.yaml")
		s.goesOn(p, i)
		s.command("rollback")
		s.RollsBack(p)
		if n := started.Count(); n != pause.started {
			t.Errorf("until the undo at %s, %d pods were started, want %d", pause.id, n, pause.started)
		}
		if now := s.uids("web"); !slices.Equal(now, stable) {
			t.Errorf("undone at %s, the stable pods are %v, and were %v", pause.id, now, stable)
		}
		for _, pod := range s.PodsOf("web") {
			if mark := pod.Text("metadata", "labels", sluice.ReleaseLabel); mark != s.mark() {
				t.Errorf("undone at %s, a stable pod has the label %q", pause.id, mark)
			}
		}
		s.Unchanged(before)
	}
	if n := lowest.Stop(); n < 4 {
		t.Errorf("there were only %d ready pods once", n)
	}
	load.Perfect()
}

// mark returns the release label in the template of the stable Deployment.
func (s shop) mark() string {
	s.Helper()
	return s.Get("Deployment", "web").Text("spec", "template", "metadata", "labels", sluice.ReleaseLabel)
}

// A moment is between two writes of sluice, which is killed when the object is as it says.
type moment struct {
	kind, name string
	is         func(sluice.Object) bool
}

func isEnding(o sluice.Object) bool { return o.Text("metadata", "deletionTimestamp") != "" }

// kill kills the process at the moment and resumes the deployment, unless that has ended.
func (s shop) kill(p *world.Process, at moment) world.Result {
	s.Helper()
	s.Until(at.kind, at.name, "where sluice is to be killed", at.is)
	p.Kill()
	if r := p.Wait(); r.Outcome != "" {
		return r
	}
	return s.Start("run", "--resume").Wait()
}

// after kills the process so long after the event, and resumes the deployment, unless that has ended.
func (s shop) after(p *world.Process, event func(world.Event) bool, delay time.Duration) world.Result {
	s.Helper()
	p.Await(event)
	time.Sleep(delay)
	p.Kill()
	if r := p.Wait(); r.Outcome != "" {
		return r
	}
	return s.Start("run", "--resume").Wait()
}

// A killer kills the process somewhere and returns how the deployment ended.
type killer func(s shop, p *world.Process) world.Result

// killers are those at the moments and, in the long target, ten more, each 40 ms later behind the event.
func killers(moments map[string]moment, event func(world.Event) bool) map[string]killer {
	all := map[string]killer{}
	for name, at := range moments {
		all[name] = func(s shop, p *world.Process) world.Result { return s.kill(p, at) }
	}
	if os.Getenv("E2E_LONG") == "" {
		return all
	}
	for i := range 10 {
		delay := time.Duration(i) * 40 * time.Millisecond
		all[delay.String()] = func(s shop, p *world.Process) world.Result { return s.after(p, event, delay) }
	}
	return all
}

// Whatever write of the promotion was the last one, every pod of the release is started once.
func TestPromotionIsKilledBetweenItsWrites(t *testing.T) {
	t.Parallel()
	isPaused := func(o sluice.Object) bool { return o.Field("spec", "paused") == true }
	begins := func(e world.Event) bool { return e.Kind == sluice.StepStarting && e.Step == "production/promote" }
	for name, kill := range killers(map[string]moment{
		"the stable Deployment has the template": {"Deployment", "web", isPaused},
		"the canary is deleted":                  {"Deployment", "web-canary", isEnding},
		"the pods are adopted": {"Deployment", "web", func(o sluice.Object) bool {
			return isPaused(o) && o.Number(0, "status", "updatedReplicas") == 4
		}},
	}, begins) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.installed(quarters)
			load, lowest, started := s.Load("web", 80, "/version"), s.Lowest("app=web"), s.Started("app=web")
			s.release("v2", "green")
			p := s.Start("run", "-f", "deploy.yaml")
			s.goesOn(p, len(pauses)-1)
			s.approve()
			if r := kill(s, p); r.Outcome != sluice.StatusSucceeded {
				t.Errorf("the deployment ended as %q\n%s", r.Outcome, r.Story())
			}
			s.expect("web", map[string]int{"v2": 4})
			if n := started.Count(); n != 4 {
				t.Errorf("%d pods were started, want 4", n)
			}
			if n := lowest.Stop(); n < 4 {
				t.Errorf("there were only %d ready pods once", n)
			}
			load.Perfect()
		})
	}
}

// Whatever write of the undo was the last one, no stable pod is replaced.
func TestUndoIsKilledBetweenItsWrites(t *testing.T) {
	t.Parallel()
	begins := func(e world.Event) bool { return e.Kind == sluice.StepUndoing }
	for name, kill := range killers(map[string]moment{
		"the Service goes to the stable pods": {"Service", "web", func(o sluice.Object) bool {
			return o.Text("spec", "selector", traffic.HashLabel) != "" &&
				o.Field("spec", "selector", sluice.ReleaseLabel) == nil
		}},
		"the Service is as it was": {"Service", "web", func(o sluice.Object) bool {
			return o.Field("spec", "selector", traffic.HashLabel) == nil &&
				o.Field("spec", "selector", sluice.ReleaseLabel) == nil
		}},
		"the canary is deleted": {"Deployment", "web-canary", isEnding},
	}, begins) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.installed(quarters)
			stable, before := s.uids("web"), s.Snapshot()
			load, started := s.Load("web", 80, "/version"), s.Started("app=web")
			s.release("v2", "green")
			p := s.Start("run", "-f", "deploy.yaml")
			s.goesOn(p, 2)
			s.command("rollback")
			if r := kill(s, p); r.Outcome != sluice.StatusRolledBack {
				t.Errorf("the deployment ended as %q\n%s", r.Outcome, r.Story())
			}
			if now := s.uids("web"); !slices.Equal(now, stable) {
				t.Errorf("the stable pods are %v, and were %v", now, stable)
			}
			if n := started.Count(); n != 4 {
				t.Errorf("%d pods were started, want 4", n)
			}
			s.Unchanged(before)
			load.Perfect()
		})
	}
}
