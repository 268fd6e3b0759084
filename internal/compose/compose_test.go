package compose

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice/internal/manifest"
)

var update = flag.Bool("update", false, "write what was made into the golden files")

// Each golden file holds a compose file, files that it names, and what becomes of it.
func TestComposeFilesBecomeManifests(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		made := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "findings" })
		if made < 0 {
			made = len(a.Files)
		}
		want := a.Files[made:]
		got := read(t, a.Files[:made])
		if *update {
			a.Files = append(a.Files[:made:made], got...)
			if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(string(txtar.Format(&txtar.Archive{Files: want})),
			string(txtar.Format(&txtar.Archive{Files: got}))); diff != "" {
			t.Errorf("%s:\n%s", file, diff)
		}
	}
}

// read returns what becomes of the files, and checks it.
func read(t *testing.T, files []txtar.File) (made []txtar.File) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !Is(files[0].Data) {
		t.Errorf("%s is not taken for a compose file", files[0].Name)
	}
	var secrets []string
	result, findings := Read(t.Context(), Source{Name: files[0].Name, Text: files[0].Data, Dir: dir,
		Environment: map[string]string{"SHELL_PASSWORD": "hyacinth-of-the-shell"},
		Secret:      func(value string) { secrets = append(secrets, value) }})
	add := func(name, text string) {
		if text != "" || name == "findings" {
			made = append(made, txtar.File{Name: name, Data: []byte(strings.ReplaceAll(text, dir, "DIR"))})
		}
	}
	var said strings.Builder
	for _, d := range findings.InOrder("") {
		fmt.Fprintln(&said, d)
		if d.Hint != "" {
			fmt.Fprintf(&said, "  hint: %s\n", d.Hint)
		}
	}
	for _, line := range strings.Split(said.String()+strings.Join(result.Guesses, "\n"), "\n") {
		if strings.Contains(line, "hyacinth") && !slices.ContainsFunc(secrets, func(s string) bool {
			return strings.Contains(line, s)
		}) {
			t.Errorf("a finding shows a secret that nobody was told: %s", line)
		}
	}
	add("findings", said.String())
	add("guesses", lines(result.Guesses))
	add("manifests.yaml", result.Manifests)
	add("secrets.yaml", result.Secrets)
	for _, job := range result.Jobs {
		add(job.Name+"-job.yaml", job.Text)
	}
	for _, f := range made {
		if strings.HasSuffix(f.Name, ".yaml") {
			if _, ds := manifest.Parse(f.Name, f.Data); len(ds) > 0 {
				t.Errorf("%s: %s", f.Name, ds)
			}
		}
	}
	return made
}

func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

// Every key of the format is understood, refused or left out with a word about it. This names keys that the library
// does not have, which would hide that a key was renamed.
func TestTablesNameKeysOfTheFormat(t *testing.T) {
	keys := map[string]bool{}
	for _, p := range schema.AttributePaths() {
		keys[p.Last()] = true
	}
	for _, p := range understood {
		if !keys[p.Last()] {
			t.Errorf("%s is not a key of the format", p)
		}
	}
	for _, table := range []map[string]string{refused, reasons} {
		for key := range table {
			if !keys[key] {
				t.Errorf("%s is not a key of the format", key)
			}
		}
	}
}

// No text ends the process, and what is written is manifests.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data))
	}
	f.Add("services: {web: {image: web, ports: [\"80:80\"], environment: [A_PASSWORD=x]}}")
	f.Add("services: {web: {image: web, environment: [\"-5=x\"], command: $A}}")
	f.Add("services:\n  db: {image: mongo, volumes: [d:/d], healthcheck: {test: [NONE]}}\nvolumes: {d: }")
	f.Fuzz(func(t *testing.T, text string) {
		if !Is([]byte(text)) || strings.Contains(text, "file") || strings.Contains(text, "include") {
			t.Skip("it is none, or names other files")
		}
		s := Source{Name: "compose.yaml", Text: []byte(text), Dir: "nowhere"}
		result, ds := Read(t.Context(), s)
		if ds.HasErrors() {
			return
		}
		if _, ds := manifest.Parse("manifests.yaml", []byte(result.Manifests)); ds.HasErrors() {
			t.Error(ds)
		}
	})
}

// An entry of a list may be named like an index that is none.
func TestEntryNamedLikeAnIndex(t *testing.T) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "-5=x"}}}
	if place, _ := child(n, "-5"); place != n.Content[0] {
		t.Errorf("it is at %v", place)
	}
	if place, _ := child(n, "-1"); place != nil {
		t.Errorf("-1 is at %v", place)
	}
}
