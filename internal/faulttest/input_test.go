package faulttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestTenMistakes: each mistake has its place, its line and what to write, and nothing is made.
func TestTenMistakes(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile(filepath.Join("..", "deployfile", "testdata", "ten.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	w.write("deploy.yaml", string(archive.Files[0].Data))
	if err := os.Mkdir(filepath.Join(w.dir, "manifests"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("manifests/shop.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}}")
	for _, args := range [][]string{{"validate", "-f", "deploy.yaml", "--no-manifests"}, {"run", "-f", "deploy.yaml"}} {
		out := w.sluice(args...)
		w.says(out, 2, "10 errors found; nothing was changed")
		located, hints := 0, 0
		for line := range strings.Lines(out.stderr) {
			if strings.HasPrefix(line, "deploy.yaml:") && strings.Contains(line, ": error: ") {
				located++
			}
			if strings.Contains(line, "hint: ") {
				hints++
			}
		}
		if located != 10 || hints < 10 {
			t.Errorf("%v: %d located errors and %d hints: %s", args, located, hints, out)
		}
	}
	if _, err := os.Stat(filepath.Join(w.state, "sluice.db")); err == nil {
		t.Error("a store was made for a file that is wrong")
	}
}

// TestUnsupported: an object that the account does not support is named before the first step of any target.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for name, test := range map[string]struct {
		manifest string
		says     []string
	}{
		"kind": {"{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}, spec: {schedule: '@daily', jobTemplate: " +
			"{spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}}",
			[]string{"target production: apply ", "CronJob", "hint"}},
		"field": {deployment("web", "web", "1", "securityContext: {privileged: true}"),
			[]string{"target production: apply ", "spec.template.spec.containers[0].securityContext.privileged",
				"Deployment/web", "hint"}},
		"image": {deployment("web", "nobody:1", "1", ""), []string{"target production: apply ", "Deployment/web",
			"nobody:1", "sluice.yaml"}},
	} {
		text := strings.Replace(deployFile("constraints: {dependsOn: [staging]}", "", test.manifest), "  production:\n",
			"  staging: {account: local, namespace: staging, strategy: rolling}\n  production:\n", 1)
		text = strings.Replace(text, "  - inline:",
			"  - targets: [staging]\n    inline: |\n      {apiVersion: v1, kind: ConfigMap, metadata: {name: first}}\n  - "+
				"targets: [production]\n    inline:", 1)
		before := w.things()
		w.says(w.deploy(text), 2, test.says...)
		w.unchanged(before, 0)
		if list := w.sluice("status"); strings.Contains(list.stdout, "shop") {
			t.Errorf("%s: a deployment was recorded: %s", name, list)
		}
	}
}
