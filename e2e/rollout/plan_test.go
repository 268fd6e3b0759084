package rollout_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const settings = `
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: "{{.Password}}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: old}
data: {age: "3"}
`

func TestPlanShowsWhatWouldChange(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Value("Password", "correct horse")
	s.Write("manifests/settings.yaml", settings)
	s.installed(watched)
	before := s.Snapshot()

	s.Value("Password", "battery staple")
	s.Value("Target", "prune: true")
	s.file(watched)
	s.release("v2", "green")
	s.Write("manifests/settings.yaml", settings[:strings.Index(settings, "---")])
	out := s.command("plan", "-f", "deploy.yaml")
	t.Log(out)
	for _, want := range []string{
		"Deployment/web", "web-canary", `-  color: blue`, `+  color: green`, "Secret/login", "ConfigMap/old deleted",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
	for _, secret := range []string{"correct", "battery", "Y29ycmVjdCBob3JzZQ", "YmF0dGVyeSBzdGFwbGU"} {
		if strings.Contains(out, secret) {
			t.Errorf("the plan shows the secret: %q", secret)
		}
	}
	if diff := cmp.Diff(before, s.Snapshot()); diff != "" {
		t.Errorf("the plan changed something:\n%s", diff)
	}
}

func TestWhatIsGoneFromTheFileIsPruned(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Value("Password", "correct horse")
	s.Value("Target", "prune: true")
	s.Write("manifests/settings.yaml", settings)
	s.installed(`canary: {steps: [{setWeight: {weight: 100}}]}`)
	s.Put(`{apiVersion: v1, kind: ConfigMap, metadata: {name: foreign}, data: {whose: theirs}}`)
	before := s.Snapshot()
	s.release("v2", "green")
	s.Write("manifests/settings.yaml", settings[:strings.Index(settings, "---")])
	s.Run()
	if s.There("ConfigMap", "old") {
		t.Error("what the file does not have any more is left")
	}
	s.Unchanged(before, "ConfigMap/old", "ConfigMap/web*", "Deployment/web")
}

// What the API server refuses for good is an error of the plan, for every object at once, and run starts nothing.
func TestRefusalsAreFoundBeforehand(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Write("manifests/mode.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: mode}\ntype: Opaque\n")
	s.installed(watched)
	before := s.Snapshot()
	s.Write("manifests/mode.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: mode}\ntype: example.com/x\n")
	s.Write("manifests/wrong.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: wrong}\n"+
		"spec:\n  selector: {app: web}\n  sessionAffinity: None\n  ports: [{port: 80}]\n  clusterIP: 1.2.3.4\n")
	const invalid = 2
	for _, command := range []string{"plan", "run"} {
		out, status := s.Sluice(command, "-f", "deploy.yaml")
		if status != invalid {
			t.Errorf("sluice %s ends with status %d, want %d", command, status, invalid)
		}
		for _, want := range []string{
			"manifests/mode.yaml:4:1: error: target ", "apply Secret/mode: type: ", "field is immutable [refused]",
			"manifests/wrong.yaml:4:1: error: target ", "apply Service/wrong: spec.clusterIP", "kubectl delete Secret/mode",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("sluice %s does not say %q:\n%s", command, want, out)
			}
		}
		if strings.Contains(out, "not known yet") {
			t.Errorf("sluice %s calls it unknown:\n%s", command, out)
		}
	}
	if diff := cmp.Diff(before, s.Snapshot()); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
}
