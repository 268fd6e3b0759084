package local_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

// nextSet begins the names of the pods of the next version, whose release label is next.
const (
	next    = "5d8f"
	nextSet = "web-" + next
)

// nextWeb is Deployment/web with the next version, which may be paused.
func nextWeb(replicas string, paused bool) string {
	text := webDeployment("web", "2", replicas, ", "+sluice.ReleaseLabel+": "+next)
	if paused {
		text = strings.Replace(text, "spec:\n", "spec:\n  paused: true\n", 1)
	}
	return text
}

// beside runs a canary of the next version and returns its pods.
func (a *account) beside(replicas string) map[string]sluice.Pod {
	a.t.Helper()
	a.startBeside(nextWeb(replicas, false))
	a.awaitSettled("Deployment/web-canary")
	return a.podsOf("Deployment/web-canary")
}

// startBeside starts a canary with the template of the Deployment.
func (a *account) startBeside(deployment string) {
	a.t.Helper()
	canary := objects(a.t, deployment)[0]
	canary.Set("web-canary", "metadata", "name")
	canary.Set(next, "spec", "selector", "matchLabels", sluice.ReleaseLabel)
	if _, _, err := a.Beside(a.ctx, canary, nextSet); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) podsOf(owner string) map[string]sluice.Pod {
	a.t.Helper()
	pods := a.pods()
	maps.DeleteFunc(pods, func(_ string, p sluice.Pod) bool { return p.Owner != owner })
	return pods
}

func (a *account) orphan() {
	a.t.Helper()
	if err := a.Orphan(a.ctx, ref(a.t, "Deployment/web-canary")); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) shift(percent int) {
	a.t.Helper()
	if err := a.Shift(a.ctx, handOver(percent)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) awaitGone(object string) {
	a.t.Helper()
	for o, err := range a.Follow(a.ctx, ref(a.t, object)) {
		if err != nil {
			a.t.Fatal(err)
		}
		if o.Text("metadata", "deletionTimestamp") != "" {
			return
		}
	}
}

func handOver(percent int) sluice.Division {
	return sluice.Division{Namespace: "test", Service: "web", Release: next, Percent: percent}
}

// share returns how many of a hundred requests the pods of the next version answer.
func (a *account) share() int {
	a.t.Helper()
	n := 0
	for range 100 {
		if strings.HasPrefix(a.fetch("web", "/"), "2 ") {
			n++
		}
	}
	return n
}

// load sends requests to Service/web until stop is called, which fails the test if one was not answered.
func (a *account) load() (stop func()) {
	a.t.Helper()
	address, err := a.Address(a.ctx, "test", "web", 8080)
	if err != nil {
		a.t.Fatal(err)
	}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := http.Post("http://"+address+"/?wait=2ms", "text/plain", strings.NewReader("an order"))
				if err != nil {
					a.t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					a.t.Error(resp.Status)
				}
			}
		})
	}
	return func() {
		close(done)
		clients.Wait()
	}
}

// TestHandOverStartsNothingAndLosesNoRequest takes a release from its canary to its end under load.
func TestHandOverStartsNothingAndLosesNoRequest(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	stop := a.load()
	a.shift(0)
	canary := a.beside("2")
	for _, percent := range []int{0, 30, 100} {
		a.shift(percent)
		if got := a.share(); got != percent && percent%100 == 0 || got == 0 && percent > 0 {
			t.Errorf("at %d %%, the next version answers %d of 100 requests", percent, got)
		}
	}
	processes := marked(t, "SLUICE_ACCOUNT="+a.id())
	a.apply(nextWeb("2", true))
	a.orphan()
	a.await("Deployment/web", "has the pods of the canary alone", settled)
	if got := a.share(); got != 100 {
		t.Errorf("after the adoption, the next version answers %d of 100 requests", got)
	}
	if err := a.Release(a.ctx, handOver(100)); err != nil {
		t.Fatal(err)
	}
	for _, paused := range []bool{true, false} {
		a.apply(nextWeb("3", paused))
		a.awaitSettled("Deployment/web")
	}
	if got := a.share(); got != 100 {
		t.Errorf("released, the next version answers %d of 100 requests", got)
	}
	stop()
	pods := a.podsOf("Deployment/web")
	for name, p := range pods {
		if !strings.HasPrefix(name, nextSet+"-") || p.Restarts > 0 {
			t.Errorf("pod %+v is not one of %s that was never restarted", p, nextSet)
		}
	}
	for name, p := range canary {
		p.Owner = "Deployment/web"
		if d := cmp.Diff(p, pods[name]); d != "" {
			t.Errorf("pod %s of the canary (-before +after):\n%s", name, d)
		}
	}
	left := 0
	for _, id := range processes {
		if id.Alive() {
			left++
		}
	}
	if left != 2 {
		t.Errorf("of the processes %v, %d are left, want those of the canary", processes, left)
	}
}

// TestShiftByTrack divides as earlier versions do, whose canary pods have the track label.
func TestShiftByTrack(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "1", "") + "\n---\n" + canary("2"))
	a.awaitSettled("Deployment/web")
	a.awaitSettled("Deployment/web-canary")
	for _, d := range []sluice.Division{
		{Namespace: "test", Service: "web", Percent: 100}, {Namespace: "test", Service: "web", Percent: 100, Release: next},
		{Namespace: "test", Service: "web", Percent: 100},
	} {
		if err := a.Shift(a.ctx, d); err != nil {
			t.Fatal(err)
		}
		if got, isOurs := a.share(), d.Release == ""; (got == 100) != isOurs {
			t.Errorf("with the release %q, %d of 100 requests go to the canary of an earlier version", d.Release, got)
		}
	}
}

// TestAgentDiesDuringHandOver kills the agent and leaves behind what it may have written by then.
func TestAgentDiesDuringHandOver(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]struct {
		marked, removed  bool // the canary
		disowned, adopts int  // how many of its two pods
	}{
		"before anything is written":      {},
		"the canary is marked":            {marked: true},
		"one pod has no owner":            {marked: true, disowned: 1},
		"no pod has an owner":             {marked: true, disowned: 2},
		"the canary is gone":              {removed: true, disowned: 2},
		"one pod belongs to the stable":   {removed: true, disowned: 2, adopts: 1},
		"both pods belong to the stable":  {removed: true, disowned: 2, adopts: 2},
		"one pod was adopted ahead of it": {marked: true, disowned: 1, adopts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t)
			a.apply(webDeployment("web", "1", "1", ""))
			a.awaitSettled("Deployment/web")
			pods := a.beside("2")
			a.apply(nextWeb("2", true))
			stable := a.await("Deployment/web", "is paused", func(o sluice.Object) bool {
				return condition(o, "Progressing") == "Unknown DeploymentPaused"
			})
			a.killAgent()
			a.edit(filepath.Join("objects", "Deployment", "test", "web-canary.json"), func(e sluice.Object) bool {
				if written.marked {
					e.Set(true, "orphan")
					e.Set("2025-01-01T00:00:00Z", "object", "metadata", "deletionTimestamp")
				}
				return !written.removed
			})
			for i, name := range slices.Sorted(maps.Keys(pods)) {
				a.editPod(name, func(p sluice.Object) {
					if i < written.disowned {
						p.Set(map[string]any{"kind": "", "name": "", "uid": ""}, "owner")
					}
					if i < written.adopts {
						uid := stable.Text("metadata", "uid")
						p.Set(map[string]any{"kind": "Deployment", "name": "web", "uid": uid}, "owner")
					}
				})
			}
			a.dial()
			a.orphan()
			a.await("Deployment/web", "has the pods of the canary alone", settled)
			for name, p := range a.pods() {
				was, isCanary := pods[name]
				if p.Owner != "Deployment/web" || !p.Ending && !isCanary || isCanary && !p.Created.Equal(was.Created) ||
					p.Restarts > 0 {
					t.Errorf("the pods are %+v, and were %+v", p, was)
				}
			}
			a.awaitGone("Deployment/web-canary")
		})
	}
}

// edit changes a file of the agent, or removes it if keep is false.
func (a *account) edit(file string, change func(sluice.Object) (keep bool)) {
	a.t.Helper()
	path := filepath.Join(a.dir, file)
	b, err := os.ReadFile(path)
	var o sluice.Object
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	if !change(o) {
		err = os.Remove(path)
	} else if b, err = json.Marshal(o); err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) editPod(name string, change func(sluice.Object)) {
	a.t.Helper()
	files, err := filepath.Glob(filepath.Join(a.dir, "pods", "*", "pod.json"))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, file := range files {
		a.edit(strings.TrimPrefix(file, a.dir), func(p sluice.Object) bool {
			if p.Text("name") == name {
				change(p)
			}
			return true
		})
	}
}

// TestBesideSurvives kills the agent as soon as it has accepted the canary.
func TestBesideSurvives(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.startBeside(nextWeb("2", false))
	a.killAgent()
	a.awaitSettled("Deployment/web-canary")
	for name := range a.pods() {
		if !strings.HasPrefix(name, nextSet+"-") {
			t.Errorf("after the agent was killed, the canary has the pod %s", name)
		}
	}
	if n := len(a.pods()); n != 2 {
		t.Errorf("the canary has %d pods", n)
	}
}

// TestOwnerlessPods orphans pods that no Deployment adopts: they are supervised, and go with their namespace.
func TestOwnerlessPods(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(a *account, pod string) error{
		"the namespace is deleted": func(a *account, _ string) error { return a.Delete(a.ctx, ref(t, "Namespace/test")) },
		"the pod is evicted":       func(a *account, pod string) error { return a.Evict(a.ctx, "test", pod) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t)
			pod := slices.Collect(maps.Keys(a.beside("1")))[0]
			a.orphan()
			a.awaitGone("Deployment/web-canary")
			for _, id := range marked(t, "SLUICE_ACCOUNT="+a.id()) {
				if err := id.Signal(unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			for p := a.pods()[pod]; p.Restarts == 0 || !p.Ready; p = a.pods()[pod] {
				if p.Owner != "Pod/"+pod {
					t.Fatalf("the pod without an owner is %+v", p)
				}
			}
			if err := end(a, pod); err != nil {
				t.Fatal(err)
			}
			if pods := a.pods(); len(pods) > 0 {
				t.Errorf("pods are left: %v", pods)
			}
			if _, err := a.Get(a.ctx, ref(t, "Namespace/test")); sluice.ErrorCode(err) != sluice.NotFound {
				t.Errorf("the namespace of the last pod: %v", err)
			}
		})
	}
}

// TestPausedDeployment ends nothing until its new pods are all available, and replaces those that are lost.
func TestPausedDeployment(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	stable := a.podsOf("Deployment/web")
	canary := a.beside("1")
	a.apply(strings.Replace(nextWeb("2", true), "spec:\n", "spec:\n  progressDeadlineSeconds: 1\n", 1))
	a.orphan()
	adopted := func(o sluice.Object) bool {
		return o.Number(0, "status", "updatedReplicas") == 1 && o.Number(0, "status", "readyReplicas") == 3
	}
	a.await("Deployment/web", "has adopted the pod", adopted)
	for name := range canary {
		if err := a.Evict(a.ctx, "test", name); err != nil {
			t.Fatal(err)
		}
	}
	o := a.await("Deployment/web", "has replaced the pod", adopted)
	if got := condition(o, "Progressing"); got != "Unknown DeploymentPaused" {
		t.Errorf("the paused Deployment is %s", got)
	}
	for name := range a.podsOf("Deployment/web") {
		if _, old := stable[name]; !old && !strings.HasPrefix(name, nextSet+"-") {
			t.Errorf("the replacement is %s", name)
		}
		delete(stable, name)
	}
	if len(stable) > 0 {
		t.Errorf("the paused Deployment has ended %v", stable)
	}
}

// TestCanaryIsNeverStuck compares a canary with a Deployment that has the same deadline.
func TestCanaryIsNeverStuck(t *testing.T) {
	t.Parallel()
	a := open(t)
	broken := strings.NewReplacer("/ready, port: http", "/ready, port: 1", "spec:\n  replicas",
		"spec:\n  progressDeadlineSeconds: 1\n  replicas")
	a.startBeside(broken.Replace(nextWeb("1", false)))
	a.apply(broken.Replace(webDeployment("web-stuck", "1", "1", "")))
	a.await("Deployment/web-stuck", "is stuck", func(o sluice.Object) bool {
		return condition(o, "Progressing") == "False ProgressDeadlineExceeded"
	})
	if got := condition(a.get("Deployment/web-canary"), "Progressing"); got != "True ReplicaSetUpdated" {
		t.Errorf("the canary is %s", got)
	}
}

// TestBesideRefuses wants a replica set that a pod's name can begin with.
func TestBesideRefuses(t *testing.T) {
	t.Parallel()
	a := open(t)
	o := objects(t, nextWeb("1", false))[0]
	for _, name := range []string{"", "../web"} {
		if _, _, err := a.Beside(a.ctx, o, name); sluice.ErrorCode(err) != sluice.Invalid {
			t.Errorf("the replica set %q: %v", name, err)
		}
	}
	if _, err := a.Get(a.ctx, o.Ref()); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("a canary that was refused: %v", err)
	}
}

// TestQuantitiesAreCompared applies the same quantities in another spelling.
func TestQuantitiesAreCompared(t *testing.T) {
	t.Parallel()
	a := open(t)
	const spelt = "\n        resources: {requests: {cpu: %CPU, memory: %MEMORY}}\n" +
		"      volumes: [{name: tmp, emptyDir: {sizeLimit: %MEMORY}}]"
	with := func(cpu, memory string) string {
		return webDeployment("web", "1", "1", "") + strings.NewReplacer("%CPU", cpu, "%MEMORY", memory).Replace(spelt)
	}
	a.apply(with("1000m", "1024Mi"))
	a.awaitSettled("Deployment/web")
	_, outcome, err := a.Apply(a.ctx, objects(t, with("1", "1Gi"))[0], false)
	if err != nil || outcome != sluice.Unchanged {
		t.Errorf("the same quantities are %s, %v", outcome, err)
	}
	_, outcome, err = a.Apply(a.ctx, objects(t, with("2", "1Gi"))[0], false)
	if err != nil || outcome != sluice.Configured {
		t.Errorf("another quantity is %s, %v", outcome, err)
	}
	set := func(size string) string {
		return strings.Replace(webDeployment("db", "1", "0", ""), "Deployment", "StatefulSet", 1) +
			"\n  volumeClaimTemplates:\n  - metadata: {name: data}\n" +
			"    spec: {resources: {requests: {storage: " + size + "}}}"
	}
	a.apply(set("1024Mi"))
	a.apply(set("1Gi")) // a claim of another size would be refused
}

// TestEarlierAgent asks an agent that does not know the request.
func TestEarlierAgent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "agent.pid"), []byte(`{"pid": 4711}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	err = local.Open(local.Config{Dir: dir, Name: "shop"}).Orphan(t.Context(), sluice.Ref{Kind: "Deployment", Name: "web"})
	if sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(sluice.ErrorHint(err), "kill -9 4711") {
		t.Errorf("an agent of an earlier version: %v (%s)", err, sluice.ErrorHint(err))
	}
}
