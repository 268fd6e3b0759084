package plan_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

var update = flag.Bool("update", false, "write what was found into the golden files")

// TestGoldens compiles the files of each archive and compares the tree, the edges of the graph and the
// findings with its section "want".
func TestGoldens(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { golden(t, path) })
	}
}

func golden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root, want := t.TempDir(), -1
	for i, f := range archive.Files {
		if graphs[f.Name] != nil {
			continue
		}
		if f.Name == "want" {
			want = i
			continue
		}
		name := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := compile(t, root)
	for i, f := range archive.Files {
		if draw := graphs[f.Name]; draw != nil {
			drawn := drawn(t, root, draw)
			if diff := cmp.Diff(string(f.Data), drawn); diff != "" && !*update {
				t.Errorf("%s (-want +got):\n%s", f.Name, diff)
			}
			archive.Files[i].Data = []byte(drawn)
		}
	}
	if again := compile(t, root); again != got {
		t.Errorf("compiled twice, the plan differs:\n%s", cmp.Diff(got, again))
	}
	if *update {
		archive.Files[want].Data = []byte(got)
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// graphs are sections that an archive may have beside "want".
var graphs = map[string]func(io.Writer, *sluice.Plan) error{"mermaid": plan.Mermaid, "dot": plan.Dot}

func drawn(t *testing.T, root string, draw func(io.Writer, *sluice.Plan) error) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "deploy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := deployfile.Parse("deploy.yaml", data)
	p, _ := plan.Compile(spec, plan.Options{Root: root, LocalAccounts: func(name string) bool { return name == "local" }})
	if p == nil {
		t.Fatal("there is no plan to draw")
	}
	var out strings.Builder
	if err := draw(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func compile(t *testing.T, root string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "deploy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	spec, found := deployfile.Parse("deploy.yaml", data)
	if found.HasErrors() {
		t.Fatalf("the deploy file has errors:\n%s", found)
	}
	p, found := plan.Compile(spec,
		plan.Options{Root: root, LocalAccounts: func(name string) bool { return name == "local" }})
	var out strings.Builder
	for _, d := range found {
		fmt.Fprintf(&out, "%s\n  %s\n", d, d.Hint)
	}
	if p == nil {
		return out.String()
	}
	if err := plan.Tree(&out, p, nil); err != nil {
		t.Fatal(err)
	}
	out.WriteString("\nedges\n")
	for _, s := range p.Steps {
		fmt.Fprintf(&out, "  %s after %v\n", s.ID, s.After)
	}
	return out.String()
}

// The digest covers the plan, but neither itself nor the rehearsal: a rehearsed plan keeps the digest of its file.
func TestDigest(t *testing.T) {
	p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "staging", AfterFailure: "keep"}}}
	before := plan.Digest(p)
	if len(before) != 64 || p.Digest != "" {
		t.Fatalf("digest %q, left in the plan: %q", before, p.Digest)
	}
	p.Digest, p.Rehearsal = before, &sluice.Rehearsal{}
	if after := plan.Digest(p); after != before {
		t.Errorf("the digest and the rehearsal change the digest from %s to %s", before, after)
	}
	p.Targets[0].AfterFailure = "rollBack"
	if plan.Digest(p) == before {
		t.Error("a changed target keeps the digest")
	}
}
