package accounttest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

var hosting = []scenario{
	{"Pods lists the replicas of every workload by name", nil, (*run).listPods},
	{"a pod that is not ready says why", nil, (*run).unready},
	{"a restart of a pod is a change of its workload, and says how the program ended", nil, (*run).restart},
	{"a pod names its revision as the status of its StatefulSet does", nil, (*run).revisions},
	{"a pod names its revision as the newest one of its DaemonSet", []Ability{DaemonSets}, (*run).daemonRevisions},
	{"the pods of two versions of a Deployment have different revisions", nil, (*run).deploymentRevisions},
	{"Logs returns the last lines", []Ability{Processes}, (*run).logs},
	{"Tail yields the lines from the first to the end of the pod", []Ability{Processes}, (*run).tail},
	{"Exec returns what the command printed, or Failed", []Ability{Processes}, (*run).exec},
	{"a pod that does not exist is NotFound and named", nil, (*run).absentPod},
	{"Evict returns when the pod has ended, and its workload makes another one", nil, (*run).evict},
	{"evicting a pod that does not exist succeeds", nil, func(r *run) { r.must(r.Evict(r.ctx, r.Namespace, "missing")) }},
	{"Evict waits while a disruption budget forbids it", []Ability{Budgets}, (*run).budget},
}

func (r *run) listPods() {
	r.start(r.workload("Deployment", "b", 2, Serves, 1))
	r.start(r.workload("StatefulSet", "a", 1, Serves, 1))
	image := r.Container(Serves, 1)["image"]
	pods, err := r.Pods(r.ctx, r.Namespace)
	r.must(err)
	for i, p := range pods {
		if !p.Ready || p.Reason != "" || p.Restarts != 0 || p.LastEnd != "" || p.Ending ||
			p.Created.IsZero() || p.Namespace != r.Namespace || p.Image != image ||
			p.Labels["app"] != "web" {
			r.Errorf("%+v", p)
		}
		if want := "Deployment/b"; i == 0 && p.Owner != "StatefulSet/a" || i > 0 && p.Owner != want {
			r.Errorf("pod %d is %+v", i, p)
		}
	}
	if len(pods) != 3 || !slices.IsSortedFunc(pods, func(a, b sluice.Pod) int { return strings.Compare(a.Name, b.Name) }) {
		r.Errorf("%d pods: %+v", len(pods), pods)
	}
	all, err := r.Pods(r.ctx, "")
	r.must(err)
	if len(all) < 3 {
		r.Errorf("all namespaces together have %d pods", len(all))
	}
}

func (r *run) unready() {
	r.apply(r.workload("Deployment", "web", 1, Breaks, 1))
	r.awaitPods("Deployment/web", "broken", func(pods []sluice.Pod) bool {
		return len(pods) == 1 && !pods[0].Ready && pods[0].Reason != ""
	})
	if o := r.get(r.ref("Deployment", "web")); o.Number(0, "status", "readyReplicas") != 0 {
		r.Errorf("its status is %v", o.Field("status"))
	}
}

// restart looks only when the workload is reported to have changed: a watcher sees every restart.
func (r *run) restart() {
	o := r.workload("Deployment", "web", 1, Falls, 1)
	r.apply(o)
	var pod sluice.Pod
	r.await(o.Ref(), "reported again after the restart", func(sluice.Object) bool {
		for _, pod = range r.pods("Deployment/web") {
			if pod.Restarts > 0 {
				return true
			}
		}
		return false
	})
	if !strings.Contains(pod.LastEnd, "3") {
		r.Errorf("it is %+v", pod)
	}
	if r.Lacks[Processes] != "" {
		return
	}
	lines, err := r.Logs(r.ctx, r.Namespace, pod.Name, 20)
	r.must(err)
	if !slices.Contains(lines, "falling") {
		r.Errorf("the last lines are %q", lines)
	}
}

// revisions replaces slow pods one after the other. A replaced pod has the wanted revision as soon as it is listed:
// otherwise a caller that compares revisions would replace it again.
func (r *run) revisions() {
	set := r.workload("StatefulSet", "db", 2, Starts, 1)
	set.Set(map[string]any{"type": "OnDelete"}, "spec", "updateStrategy")
	o := r.start(set)
	before := o.Text("status", "updateRevision")
	if before == "" || o.Text("status", "currentRevision") != before {
		r.Fatalf("its status is %v", o.Field("status"))
	}
	set.Set([]any{r.Container(Starts, 2)}, "spec", "template", "spec", "containers")
	r.apply(set)
	o = r.await(set.Ref(), "seen", func(o sluice.Object) bool { return o.Text("status", "updateRevision") != before })
	if o.Text("status", "currentRevision") != before {
		r.Errorf("currentRevision is %q, want %q", o.Text("status", "currentRevision"), before)
	}
	next := o.Text("status", "updateRevision")
	for i, name := range []string{"db-0", "db-1"} {
		for _, p := range r.pods("StatefulSet/db")[i:] {
			if p.Revision != before {
				r.Errorf("%s has the revision %q, want %q", p.Name, p.Revision, before)
			}
		}
		r.must(r.Evict(r.ctx, r.Namespace, name))
		r.awaitPods("StatefulSet/db", "replaced", func(pods []sluice.Pod) bool {
			at := slices.IndexFunc(pods, func(p sluice.Pod) bool { return p.Name == name })
			if at >= 0 && pods[at].Revision != next {
				r.Fatalf("after its eviction %s has the revision %q, want %q", name, pods[at].Revision, next)
			}
			return at >= 0 && pods[at].Ready
		})
	}
	r.settle(set.Ref())
}

// daemonRevisions is revisions for a DaemonSet, whose status names none.
func (r *run) daemonRevisions() {
	set := r.workload("DaemonSet", "agent", 1, Starts, 1)
	delete(set["spec"].(map[string]any), "replicas")
	set.Set(map[string]any{"type": "OnDelete"}, "spec", "updateStrategy")
	r.apply(set)
	r.await(set.Ref(), "ready", func(o sluice.Object) bool {
		n := o.Number(0, "status", "numberReady")
		return n > 0 && n == o.Number(0, "status", "desiredNumberScheduled")
	})
	before := r.newestRevision("agent")
	set.Set([]any{r.Container(Starts, 2)}, "spec", "template", "spec", "containers")
	r.apply(set)
	r.await(set.Ref(), "seen", func(o sluice.Object) bool {
		return o.Number(0, "status", "observedGeneration") == o.Number(0, "metadata", "generation")
	})
	next := r.newestRevision("agent")
	if before == "" || before == next {
		r.Fatalf("the revisions are %q and then %q", before, next)
	}
	old := r.pods("DaemonSet/agent")
	for _, p := range old {
		if p.Revision != before {
			r.Errorf("%s has the revision %q, want %q", p.Name, p.Revision, before)
		}
		r.must(r.Evict(r.ctx, r.Namespace, p.Name))
	}
	r.awaitPods("DaemonSet/agent", "replaced", func(pods []sluice.Pod) bool {
		for _, p := range pods {
			if p.Revision != next {
				r.Fatalf("%s was made anew with the revision %q, want %q", p.Name, p.Revision, next)
			}
		}
		return len(pods) == len(old) && !slices.ContainsFunc(pods, func(p sluice.Pod) bool { return !p.Ready })
	})
}

// newestRevision returns the hash of the DaemonSet's newest template.
func (r *run) newestRevision(set string) (hash string) {
	r.Helper()
	list, err := r.List(r.ctx, "apps/v1", "ControllerRevision", r.Namespace)
	r.must(err)
	newest := -1
	for _, revision := range list {
		n := revision.Number(0, "revision")
		if strings.HasPrefix(revision.Ref().Name, set+"-") && n > newest {
			newest, hash = n, revision.Text("metadata", "labels", "controller-revision-hash")
		}
	}
	return hash
}

func (r *run) deploymentRevisions() {
	var revisions []string
	for _, version := range []int{1, 2, 1} {
		r.start(r.workload("Deployment", "web", 1, Serves, version))
		pods := r.awaitPods("Deployment/web", "alone", func(pods []sluice.Pod) bool { return len(pods) == 1 })
		revisions = append(revisions, pods[0].Revision)
	}
	if revisions[0] == "" && revisions[1] == "" {
		return // the account keeps no revisions
	}
	if revisions[0] == revisions[1] || revisions[0] != revisions[2] {
		r.Errorf("versions 1, 2 and 1 have the revisions %q", revisions)
	}
}

// speaking starts a pod that speaks and returns its name once it has done so.
func (r *run) speaking() string {
	r.Helper()
	r.start(r.workload("Deployment", "web", 1, Speaks, 1))
	name := r.pods("Deployment/web")[0].Name
	lines := 0
	for _, err := range r.Tail(r.ctx, r.Namespace, name) {
		r.must(err)
		if lines++; lines == 3 {
			return name
		}
	}
	r.Fatalf("the pod ended after %d lines", lines)
	return ""
}

func (r *run) logs() {
	name := r.speaking()
	for n, want := range map[int]string{1: "three", 2: "two three", 9: "one two three"} {
		lines, err := r.Logs(r.ctx, r.Namespace, name, n)
		r.must(err)
		if got := strings.Join(lines, " "); got != want {
			r.Errorf("the last %d lines are %q", n, got)
		}
	}
}

func (r *run) tail() {
	name := r.speaking()
	var lines []string
	for line, err := range r.Tail(r.ctx, r.Namespace, name) {
		r.must(err)
		if lines = append(lines, line); len(lines) == 3 {
			go func() { _ = r.Scale(r.ctx, r.ref("Deployment", "web"), 0) }()
		}
	}
	if got := strings.Join(lines, " "); r.ctx.Err() != nil || got != "one two three" {
		r.Errorf("it yielded %q, %v", got, r.ctx.Err())
	}
}

func (r *run) exec() {
	r.start(r.workload("Deployment", "web", 1, Serves, 1))
	name := r.pods("Deployment/web")[0].Name
	if out, err := r.Account.Exec(r.ctx, r.Namespace, name, r.World.Exec("a word", 0)); err != nil ||
		strings.TrimSpace(out) != "a word" {
		r.Errorf("it printed %q, %v", out, err)
	}
	out, err := r.Account.Exec(r.ctx, r.Namespace, name, r.World.Exec("half a word", 3))
	r.wants(err, sluice.Failed, "3", name)
	if strings.TrimSpace(out) != "half a word" {
		r.Errorf("before it failed it printed %q", out)
	}
	if _, err := r.Account.Exec(r.ctx, r.Namespace, name, []string{"/does/not/exist"}); err == nil {
		r.Error("a program that does not exist ran")
	}
}

func (r *run) absentPod() {
	_, err := r.Logs(r.ctx, r.Namespace, "missing", 1)
	r.wants(err, sluice.NotFound, "missing")
	_, err = r.Account.Exec(r.ctx, r.Namespace, "missing", []string{"x"})
	r.wants(err, sluice.NotFound, "missing")
	err = nil
	for _, err = range r.Tail(r.ctx, r.Namespace, "missing") {
		break
	}
	r.wants(err, sluice.NotFound, "missing")
}

func (r *run) evict() {
	r.start(r.workload("Deployment", "web", 2, Serves, 1))
	gone := r.pods("Deployment/web")[0].Name
	r.must(r.Evict(r.ctx, r.Namespace, gone))
	is := func(p sluice.Pod) bool { return p.Name == gone }
	if slices.ContainsFunc(r.pods("Deployment/web"), is) {
		r.Errorf("%s is still there", gone)
	}
	r.awaitPods("Deployment/web", "two again", func(pods []sluice.Pod) bool {
		return len(pods) == 2 && pods[0].Ready && pods[1].Ready && !slices.ContainsFunc(pods, is)
	})
	r.must(r.Evict(r.ctx, r.Namespace, gone))
}

func (r *run) budget() {
	r.start(r.workload("Deployment", "web", 1, Serves, 1))
	r.apply(r.read(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}`))
	r.await(r.ref("PodDisruptionBudget", "web"), "taking notice", func(o sluice.Object) bool {
		return o.Number(0, "status", "currentHealthy") == 1
	})
	name := r.pods("Deployment/web")[0].Name
	short, cancel := context.WithTimeout(r.ctx, time.Second)
	defer cancel()
	if err := r.Evict(short, r.Namespace, name); err == nil {
		r.Fatal("the eviction did not wait")
	}
	if pods := r.pods("Deployment/web"); len(pods) != 1 || pods[0].Name != name || !pods[0].Ready {
		r.Fatalf("the budget was not kept: %+v", pods)
	}
	done := make(chan error, 1)
	go func() { done <- r.Evict(r.ctx, r.Namespace, name) }()
	r.must(r.Scale(r.ctx, r.ref("Deployment", "web"), 2))
	r.must(<-done)
	for _, p := range r.pods("Deployment/web") {
		if p.Name == name {
			r.Errorf("it is still there: %+v", p)
		}
	}
}
