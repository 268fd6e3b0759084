package deployfile_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
)

// Each archive in testdata/include holds a deploy.yaml, what it includes, and in "want" what is found.
func TestIncludes(t *testing.T) {
	archives, err := filepath.Glob("testdata/include/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want := fstest.MapFS{}, -1
			for i, f := range a.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				files[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			got := included(files)
			if *update {
				a.Files[want].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[want].Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func included(files fstest.MapFS) string {
	spec, ds := deployfile.ParseWith("there/deploy.yaml", files["deploy.yaml"].Data, deployfile.Options{Files: files})
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s\n    hint: %s\n", d, d.Hint)
	}
	if spec == nil {
		return b.String()
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Strategies)) {
		fmt.Fprintf(&b, "strategy %s at %s\n", name, spec.Strategies[name].Pos)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Webhooks)) {
		fmt.Fprintf(&b, "webhook %s at %s\n", name, spec.Webhooks[name].Pos)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Analysis.Queries)) {
		fmt.Fprintf(&b, "query %s at %s, default provider %s\n", name, spec.Analysis.Queries[name].Pos,
			spec.Analysis.DefaultProvider)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Datasets)) {
		fmt.Fprintf(&b, "dataset %s at %s\n", name, spec.Datasets[name].Pos)
	}
	for _, tr := range spec.Traffic {
		fmt.Fprintf(&b, "traffic at %s\n", tr.Pos)
	}
	return b.String()
}

const small = "version: v1\napplication: shop\ntargets: {one: {account: a}}\nmanifests: [{path: m}]\n"

// A file that is read without the files around it says that it cannot include them.
func TestIncludeWithoutFiles(t *testing.T) {
	spec, ds := deployfile.Parse("deploy.yaml", []byte(small+"include: [shared.yaml]\n"))
	if spec != nil || len(ds) != 1 || ds[0].Code != "include-unreadable" {
		t.Errorf("found %v", ds)
	}
}

// Included files are bounded in depth, number and size, and are read from the directory alone.
func TestIncludeBounds(t *testing.T) {
	deep := fstest.MapFS{}
	for i := range 20 {
		deep[fmt.Sprintf("%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "include: [%d.yaml]\n", i+1)}
	}
	var list []string
	many := fstest.MapFS{}
	for i := range 60 {
		name := fmt.Sprintf("%d.yaml", i)
		list = append(list, name)
		many[name] = &fstest.MapFile{Data: fmt.Appendf(nil,
			"strategies: {s%d: {canary: {steps: [{setWeight: {weight: 1}}]}}}\n", i)}
	}
	large := fstest.MapFS{}
	for _, name := range []string{"a.yaml", "b.yaml"} {
		large[name] = &fstest.MapFile{Data: []byte("strategies: {}\n#" + strings.Repeat("x", 3<<20))}
	}
	for name, c := range map[string]struct {
		files   fstest.MapFS
		include []string
		code    string
	}{
		"depth":     {deep, []string{"0.yaml"}, "include-bounds"},
		"number":    {many, list, "include-bounds"},
		"size":      {large, []string{"a.yaml", "b.yaml"}, "include-bounds"},
		"above":     {many, []string{"../0.yaml"}, "include-outside"},
		"absolute":  {many, []string{"/etc/passwd"}, "include-outside"},
		"directory": {fstest.MapFS{"d/a.yaml": {}}, []string{"d"}, "include-unreadable"},
	} {
		text := small + "include: [" + strings.Join(c.include, ", ") + "]\n"
		spec, ds := deployfile.ParseWith("deploy.yaml", []byte(text), deployfile.Options{Files: c.files})
		if spec != nil || !slices.ContainsFunc(ds, func(d sluice.Diagnostic) bool { return d.Code == c.code }) {
			t.Errorf("%s: found %v, want %s", name, ds, c.code)
		}
	}
}

// A symbolic link is no way out.
func TestIncludeThroughLink(t *testing.T) {
	outside, inside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "shared.yaml"), []byte("strategies: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "shared.yaml"), filepath.Join(inside, "shared.yaml")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	_, ds := deployfile.ParseWith("deploy.yaml", []byte(small+"include: [shared.yaml]\n"),
		deployfile.Options{Files: root.FS()})
	if len(ds) != 1 || ds[0].Code != "include-outside" {
		t.Errorf("found %v", ds)
	}
}

func TestOptions(t *testing.T) {
	nameless := []byte(strings.Replace(small, "application: shop\n", "", 1))
	if spec, ds := deployfile.Parse("d.yaml", nameless); spec != nil || !ds.HasErrors() {
		t.Errorf("a file without application was accepted: %v", ds)
	}
	for _, text := range []string{string(nameless), small} {
		spec, ds := deployfile.ParseWith("d.yaml", []byte(text), deployfile.Options{Application: "given"})
		if spec == nil || spec.Application != "given" {
			t.Errorf("the given application did not hold: %v", ds)
		}
	}
	warns := []byte(small + "trafficManagement: [{targets: [gone], kubernetes: [{activeService: s}]}]\n")
	if spec, ds := deployfile.Parse("d.yaml", warns); spec == nil || len(ds) != 1 {
		t.Errorf("want one warning: %v", ds)
	}
	if spec, ds := deployfile.ParseWith("d.yaml", warns, deployfile.Options{Strict: true}); spec != nil || len(ds) != 1 ||
		!ds.HasErrors() {
		t.Errorf("want one error: %v", ds)
	}
}
