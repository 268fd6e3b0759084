package plan_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

const corpusGolden = "testdata/corpus.golden"

// corpus holds deploy files that others wrote. It is not part of the repository.
var corpus = filepath.Join(cmp.Or(os.Getenv("SLUICE_SHARED"), "../../../shared"), "corpus")

// standIn takes the place of the corpus's manifests, most of which were not kept.
const standIn = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: NAME, image: "example/NAME:1", ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{port: 80, targetPort: 8080}]}
`

// TestCorpusPlans pins the plan of each deploy file of the corpus, byte for byte, by the SHA-256 of its JSON. Where
// there is no plan, it pins the code and the position of each finding. A stored plan is read for as long as its
// deployment can be rolled back, so a change here is a change of behaviour; -update accepts it.
func TestCorpusPlans(t *testing.T) {
	var got strings.Builder
	err := filepath.WalkDir(corpus, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(corpus, path)
		if err != nil || entry.IsDir() || filepath.Ext(name) == ".json" ||
			strings.HasPrefix(name, "seed-demo/") && name != "seed-demo/pxbbq.yaml" {
			return err
		}
		fmt.Fprintf(&got, "%s %s\n", name, corpusPlan(t, path))
		return nil
	})
	if os.IsNotExist(err) {
		t.Skip("the corpus of real deploy files is not beside the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(corpusGolden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(corpusGolden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", corpusGolden, diff)
	}
}

// corpusPlan returns the digest of the file's plan, or its findings.
func corpusPlan(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spec, found := deployfile.Parse(filepath.Base(path), data)
	if spec == nil {
		return places(found)
	}
	root := t.TempDir()
	for i, m := range spec.Manifests {
		if filepath.IsLocal(strings.TrimPrefix(m.Path, "/")) && !strings.Contains(m.Path, "://") {
			writeStandIn(t, filepath.Join(root, m.Path), fmt.Sprintf("app%d", i))
		}
	}
	p, found := plan.Compile(spec, plan.Options{Root: root})
	if p == nil {
		return places(found)
	}
	encoded, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(encoded))
}

func writeStandIn(t *testing.T, path, name string) {
	t.Helper()
	if ext := filepath.Ext(path); ext != ".yml" && ext != ".yaml" {
		path = filepath.Join(path, "all.yaml")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(standIn, "NAME", name)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func places(found sluice.Diagnostics) string {
	var all []string
	for _, d := range found {
		all = append(all, fmt.Sprintf("%s@%d:%d", d.Code, d.Pos.Line, d.Pos.Column))
	}
	return strings.Join(all, " ")
}
