package deployfile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each archive in testdata holds deploy files X.yaml, each followed by X.findings: what Parse reports, with its
// hints, and the excerpt of the first finding.
func TestFindings(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var out []txtar.File
		for _, f := range a.Files {
			base, isInput := strings.CutSuffix(f.Name, ".yaml")
			if !isInput {
				continue
			}
			got := findings(f.Name, f.Data)
			out = append(out, f, txtar.File{Name: base + ".findings", Data: []byte(got)})
			t.Run(filepath.Base(name)+"/"+base, func(t *testing.T) {
				if diff := cmp.Diff(content(a, base+".findings"), got); diff != "" && !*update {
					t.Errorf("findings in %s (-) and found (+):\n%s", name, diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(name, txtar.Format(&txtar.Archive{Comment: a.Comment, Files: out}), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func content(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func findings(name string, data []byte) string {
	spec, ds := deployfile.Parse(name, data)
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s\n    hint: %s\n", d, d.Hint)
	}
	if len(ds) > 0 {
		fmt.Fprintln(&b, deployfile.Excerpt(data, ds[0].Pos))
	}
	if spec != nil {
		fmt.Fprintln(&b, "accepted")
	}
	return b.String()
}

// A mistake is one finding, with a place and a hint.
func TestOneFindingForEachMistake(t *testing.T) {
	a, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if !strings.HasSuffix(f.Name, ".yaml") {
			continue
		}
		_, ds := deployfile.Parse(f.Name, f.Data)
		if len(ds) != 1 || !ds[0].Pos.IsValid() || ds[0].Hint == "" || strings.Contains(ds[0].Message, "this is not YAML") {
			t.Errorf("%s: %v", f.Name, ds)
		}
	}
}

// Ten different mistakes give exactly ten errors, each with a place and a hint.
func TestTenMistakes(t *testing.T) {
	a, err := txtar.ParseFile("testdata/ten.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, ds := deployfile.Parse("ten.yaml", a.Files[0].Data)
	codes := map[string]bool{}
	for _, d := range ds {
		if d.Severity != sluice.SeverityError || !d.Pos.IsValid() || d.Pos.Column < 1 || d.Hint == "" {
			t.Errorf("%v has no place or no hint, or is no error", d)
		}
		codes[d.Code] = true
	}
	if len(ds) != 10 || len(codes) != 10 {
		t.Errorf("%d findings of %d codes, want 10 of 10:\n%v", len(ds), len(codes), ds)
	}
}
