package rollout_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

const half = "canary: {steps: [{setWeight: {weight: 50}}]}"

// extra is a ConfigMap that no pod uses.
const extra = `
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {a: "{{.Extra}}"}
`

// A person sets a value that the manifest says afterwards. From then on the manifest decides.
func TestHotFixThatTheManifestAdopts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(half)
	s.Kubectl("set", "env", "deployment/web", "VERSION=v2")
	s.Kubectl("rollout", "status", "deployment/web")

	s.release("v3", "blue")
	out, status := s.Sluice("run", "-f", "deploy.yaml")
	says(t, out, `.env[name="VERSION"].value is set by "kubectl-set" to "v2", the manifest has "v3"`,
		"--take-over kubectl-set")
	if status == 0 {
		t.Error("the hot fix was overwritten")
	}
	s.release("v2", "blue")
	s.Run()
	s.expect("web", map[string]int{"v2": 4})
	if s.owns("Deployment", "web", "kubectl-set") {
		t.Error("kubectl-set owns fields that the manifest has adopted")
	}
	s.release("v3", "blue")
	s.Run()
	s.expect("web", map[string]int{"v3": 4})
}

// A person goes back by hand, and later releases go on from there.
func TestReleaseAfterKubectlRolloutUndo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(half)
	s.release("v2", "blue")
	s.Run()
	s.Kubectl("rollout", "undo", "deployment/web")
	s.Kubectl("rollout", "status", "deployment/web")
	s.expect("web", map[string]int{"v1": 4})

	s.release("v1", "blue")
	s.Run()
	s.release("v3", "blue")
	s.Run()
	s.expect("web", map[string]int{"v3": 4})
}

// Undo gives back what was taken over: the value and its owner.
func TestUndoGivesBackWhatWasTakenOver(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Value("Extra", "one")
	s.Write("manifests/extra.yaml", extra)
	s.installed("canary: {steps: [{pause: {untilApproved: true}}]}")
	s.Kubectl("patch", "configmap/extra", "-p", `{"data": {"a": "hot"}}`)
	before := s.Snapshot()

	s.Value("Extra", "two")
	s.Write("manifests/extra.yaml", extra)
	s.release("v2", "blue")
	out, status := s.Sluice("plan", "-f", "deploy.yaml", "--take-over", "kubectl-patch")
	says(t, out, "ConfigMap/extra: takes over from kubectl-patch: .data.a")
	if status != 0 {
		t.Errorf("plan has the status %d\n%s", status, out)
	}
	p := s.Start("run", "-f", "deploy.yaml", "--take-over", "kubectl-patch")
	p.Await(waits("production/canary/0"))
	if got := s.Get("ConfigMap", "extra").Text("data", "a"); got != "two" {
		t.Errorf("the value is %q", got)
	}
	s.Sluice("reject")
	s.RollsBack(p)
	s.Unchanged(before)
	if !s.owns("ConfigMap", "extra", "kubectl-patch") {
		t.Error("kubectl-patch does not own its field again")
	}
}

// A second application brings an object of the first one.
func TestTwoApplicationsBringOneObject(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Value("Extra", "one")
	s.Write("manifests/extra.yaml", extra)
	s.installed(half)
	s.Write("blog.yaml", strings.NewReplacer("application: shop", "application: blog", "path: manifests",
		"path: blog").Replace(deployFile)+indent(4, half))
	s.Value("Extra", "blog's")
	s.Write("blog/extra.yaml", extra)
	out, _ := s.Sluice("plan", "-f", "blog.yaml")
	says(t, out, "application shop")
	out, status := s.Sluice("run", "-f", "blog.yaml")
	says(t, out, "ConfigMap/extra", "application shop", "--take-over sluice:shop")
	if got := s.Get("ConfigMap", "extra").Text("data", "a"); got != "one" || status == 0 {
		t.Errorf("the value is %q, the status %d", got, status)
	}

	s.Value("Extra", "one")
	s.Write("blog/extra.yaml", extra)
	out, _ = s.Sluice("plan", "-f", "blog.yaml")
	says(t, out, "ConfigMap/extra belongs to application shop too")
	s.Ends(sluice.StatusSucceeded, s.Start("run", "-f", "blog.yaml"))
	for _, manager := range []string{"sluice:shop", "sluice:blog"} {
		if !s.owns("ConfigMap", "extra", manager) {
			t.Errorf("%s does not own what it brings", manager)
		}
	}
}

// What earlier versions of Sluice applied for no application belongs to the first one that brings it, and loses the
// fields that are no longer declared.
func TestObjectsOfEarlierVersionsAreTakenOver(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.PutAs(sluice.Manager, `{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}, data: {a: one, b: old}}`)
	s.Value("Extra", "two")
	s.Write("manifests/extra.yaml", extra)
	s.installed(half)
	data, _ := s.Get("ConfigMap", "extra").Field("data").(map[string]any)
	if len(data) != 1 || data["a"] != "two" {
		t.Errorf("the data are %v", data)
	}
	if s.owns("ConfigMap", "extra", sluice.Manager) || !s.owns("ConfigMap", "extra", "sluice:shop") {
		t.Error("it does not belong to the application alone")
	}
}

// owns reports whether the manager owns fields of the object.
func (s shop) owns(kind, name, manager string) bool {
	s.Helper()
	for _, e := range s.Get(kind, name).List("metadata", "managedFields") {
		if e.Text("manager") == manager && e.Text("subresource") == "" {
			return true
		}
	}
	return false
}

func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("it does not say %q:\n%s", word, text)
		}
	}
}
