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
