package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// someone brings a deploy file of the corpus into the script's directory, as deploy.yml, with a small manifest for
// each one that it names: most of those were not kept.
func someone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: someone FILE")
	}
	data, err := os.ReadFile(filepath.Join(ts.Getenv("CORPUS"), "armory", args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("deploy.yml"), data, 0o600))
	var file struct{ Manifests []struct{ Path string } }
	ts.Check(yaml.Unmarshal(data, &file))
	for i, m := range file.Manifests {
		path := ts.MkAbs(strings.TrimPrefix(m.Path, "/"))
		if m.Path == "" || strings.Contains(m.Path, "://") {
			continue
		}
		if filepath.Ext(path) != ".yml" && filepath.Ext(path) != ".yaml" {
			path = filepath.Join(path, "all.yaml")
		}
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		name := fmt.Sprintf("app%d", i)
		ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(tiny, "NAME", name)), 0o600))
	}
}

const tiny = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: NAME, image: "example/NAME:1", ports: [{containerPort: 8080}]}]}
`
