package schema_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice/internal/manifest/schema"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

var update = flag.Bool("update", false, "write what was found into the golden files")

// TestGoldens checks the manifests of each archive. After each manifest stands the section with its findings.
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
	var files []txtar.File
	for _, f := range archive.Files {
		if f.Name == "findings" {
			continue
		}
		files = append(files, f, txtar.File{Name: "findings", Data: []byte(findings(t, f))})
	}
	got := txtar.Archive{Comment: archive.Comment, Files: files}
	if *update {
		if err := os.WriteFile(path, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(&got))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func findings(t *testing.T, f txtar.File) string {
	t.Helper()
	roots, ds := yamldoc.Read(f.Name, f.Data, yamldoc.Limits{Bytes: 1 << 20, Nodes: 10_000, Depth: 100})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	var out strings.Builder
	for _, root := range roots {
		for _, d := range schema.Check(f.Name, root) {
			fmt.Fprintf(&out, "%s\n  %s\n", d, d.Hint)
		}
	}
	return out.String()
}
