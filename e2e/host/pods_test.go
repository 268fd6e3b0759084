package host_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

func TestPods(t *testing.T) {
	w := newWorld(t)
	w.serving(2)
	sets, err := w.client.AppsV1().ReplicaSets(w.namespace).List(w.ctx, metav1.ListOptions{})
	must(t, err)
	pods, err := w.Pods(w.ctx, w.namespace)
	must(t, err)
	if len(pods) != 2 || len(sets.Items) != 1 || pods[0].Name >= pods[1].Name {
		t.Fatalf("%+v of %d replica sets", pods, len(sets.Items))
	}
	for _, p := range pods {
		if p.Owner != "Deployment/web" || p.Image != talker || !p.Ready || p.Reason != "" || p.Restarts != 0 ||
			p.Namespace != w.namespace ||
			p.Revision == "" || p.Revision != sets.Items[0].Labels["pod-template-hash"] || p.Labels["app"] != "web" {
			t.Errorf("%+v", p)
		}
	}
	all, err := w.Pods(w.ctx, "")
	must(t, err)
	if len(all) < 2 {
		t.Errorf("all namespaces together have %d pods", len(all))
	}
}

func TestPodsSayWhyTheyAreNotReady(t *testing.T) {
	w := newWorld(t)
	w.apply(single("image", `image: docker.io/sluice-e2e/absent:1, imagePullPolicy: Never`, ""))
	w.apply(single("big", fmt.Sprintf(`image: %q, resources: {requests: {memory: 1Ei}}`, talker), ""))
	w.apply(single("crash", fmt.Sprintf(`image: %q, imagePullPolicy: Never, args: [say, "3", "", bye]`, talker), ""))
	words := map[string]string{"image": "ErrImageNeverPull", "big": "no node takes it: 0/1 nodes",
		"crash": "it ended with status 3"}
	w.await(func(pods []sluice.Pod) bool {
		for _, p := range pods {
			if p.Owner != "Pod/"+p.Name || !strings.Contains(p.Reason, words[p.Name]) {
				return false
			}
		}
		return len(pods) == len(words)
	})
}

// single is a pod of one container, and of others.
func single(name, container, others string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, %s}
%s`, name, name, container, others)
}

func TestLogs(t *testing.T) {
	w := newWorld(t)
	with := fmt.Sprintf("image: %q, imagePullPolicy: Never, args: ", talker)
	w.apply(single("one", with+`[wait, "a\nb\nc"]`, ""))
	w.apply(single("two", with+`[wait, first]`, "  - {name: side, "+with+`[wait, second]}`))
	w.apply(single("crash", with+`[say, "3", "", "why\nit ended\n"]`, ""))
	w.await(func(pods []sluice.Pod) bool {
		for _, p := range pods {
			if p.Name == "crash" && p.Restarts == 0 || p.Name != "crash" && !p.Ready {
				return false
			}
		}
		return len(pods) == 3
	})
	for name, want := range map[string]string{"one": "b|c", "crash": "why|it ended"} {
		if got := w.logs(name, 2); strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	two := w.logs("two", 10)
	if len(two) != 2 || !contains(two, "main: first") || !contains(two, "side: second") {
		t.Errorf("two containers: %q", two)
	}
	_, err := w.Logs(w.ctx, w.namespace, "absent", 1)
	w.wants(err, sluice.NotFound, "absent")
}

func (w *world) logs(pod string, n int) []string {
	w.Helper()
	lines, err := w.Logs(w.ctx, w.namespace, pod, n)
	must(w.T, err)
	return lines
}

func contains(list []string, one string) bool {
	for _, s := range list {
		if s == one {
			return true
		}
	}
	return false
}

func TestExec(t *testing.T) {
	w := newWorld(t)
	w.serving(1)
	pods, err := w.Pods(w.ctx, w.namespace)
	must(t, err)
	name := pods[0].Name
	out, err := w.Exec(w.ctx, w.namespace, name, []string{"/talker", "say", "0", "to say", "to complain"})
	if out != "to say" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	out, err = w.Exec(w.ctx, w.namespace, name, []string{"/talker", "say", "3", "half", "why not"})
	w.wants(err, sluice.Failed, "status 3", "why not", name)
	if out != "half" || strings.Contains(err.Error(), "half") {
		t.Errorf("%q, %v", out, err)
	}
	_, err = w.Exec(w.ctx, w.namespace, name, []string{"/absent"})
	if err == nil {
		t.Error("a program that is not there ran")
	}
	_, err = w.Exec(w.ctx, w.namespace, "absent", []string{"/talker"})
	w.wants(err, sluice.NotFound, "absent")
}

func TestReach(t *testing.T) {
	w := newWorld(t)
	r, err := w.Reach(w.ctx)
	if err != nil || !strings.HasPrefix(r.Version, "v1.") || r.Latency <= 0 || r.Skew != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
