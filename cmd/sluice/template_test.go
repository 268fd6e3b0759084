package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

const templateManifest = `apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop}]}}
`

// Every starter file is without findings and becomes a plan as soon as there is a manifest.
func TestTemplatesCanBePlanned(t *testing.T) {
	entries, err := templates.ReadDir("templates")
	if err != nil || len(entries) != len(newTemplate(&app{}).ValidArgs) {
		t.Fatalf("%d starter files: %v", len(entries), err)
	}
	for _, name := range newTemplate(&app{}).ValidArgs {
		text, err := templates.ReadFile("templates/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "manifests"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "manifests", "shop.yaml"), []byte(templateManifest), 0o600); err != nil {
			t.Fatal(err)
		}
		spec, ds := deployfile.Parse("deploy.yaml", text)
		if len(ds) > 0 {
			t.Errorf("%s: %s", name, ds)
			continue
		}
		p, ds := plan.Compile(spec, plan.Options{Root: dir})
		if p == nil || len(ds) > 0 {
			t.Errorf("%s: %s", name, ds)
		}
	}
}
