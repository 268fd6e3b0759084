package deployfile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
	"github.com/sluice-cd/sluice/internal/plan"
)

func laughs() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String()
}

func chain(n int) string {
	var b strings.Builder
	b.WriteString("application: a\nmanifests: [{path: a}]\ntargets:\n")
	for i := range n {
		fmt.Fprintf(&b, "  t%d: {account: a, constraints: {dependsOn: [t%d]}}\n", i, (i+1)%n)
	}
	return b.String()
}

// What is made to cost much costs little, and is refused with a finding.
func TestHostile(t *testing.T) {
	for name, test := range map[string]struct{ text, code string }{
		"too large":            {strings.Repeat("#", 4<<20+1), "too-large"},
		"too many values":      {"a: [" + strings.Repeat("1,", 1<<20) + "]", "too-large"},
		"too many dashes":      {strings.Repeat("- ", 1<<20), "too-large"},
		"deep lists":           {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "too-deep"},
		"deep and open":        {strings.Repeat("[", 100_000), "yaml-syntax"},
		"billion laughs":       {laughs(), "alias-growth"},
		"contains itself":      {"a: &a {b: *a}", "alias-cycle"},
		"not UTF-8":            {"application: \xff\xfe", "not-utf8"},
		"long circle":          {chain(400), "dependency-cycle"},
		"too many targets":     {chain(2000), "out-of-range"},
		"many wrong keys":      {strings.Repeat("x", 50) + wrongKeys(20_000), "too-many-findings"},
		"many lines and a tab": {strings.Repeat("k: \"x\" # y: z\n", 50_000) + "\t- x\n", "yaml-syntax"},
		"many wrong variables": {"webhooks: [{name: a, uriTemplate: 'http://x', bodyTemplate: {inline: '" +
			strings.Repeat("{{x}}", 100_000) + "'}}]", "bad-template"},
		"one long wrong key": {strings.Repeat("k", 1<<20) + ": 1", "yaml-syntax"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, ds := deployfile.Parse("hostile.yaml", []byte(test.text))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !has(ds, test.code) {
				t.Errorf("no finding %s in %.300v", test.code, ds)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 400<<20 || took > 5*time.Second {
				t.Errorf("took %v and %d MiB", took, allocated>>20)
			}
			for _, d := range ds {
				if len(d.Message) > 4096 || len(d.Hint) > 1024 {
					t.Errorf("a finding of %d bytes", len(d.Message)+len(d.Hint))
				}
			}
		})
	}
}

func wrongKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

func has(ds sluice.Diagnostics, code string) bool {
	for _, d := range ds {
		if d.Code == code {
			return true
		}
	}
	return false
}

func TestExcerpt(t *testing.T) {
	text := []byte("a: 1\n\tünder: x\n\n" + strings.Repeat("x", 300) + "\r\n")
	for name, test := range map[string]struct {
		line, column int
		want         string
	}{
		"tab and umlaut":  {2, 9, " ünder: x\n        ^"},
		"behind the line": {1, 99, "a: 1\n    ^"},
		"empty line":      {3, 1, ""},
		"no such line":    {99, 1, ""},
		"no place":        {0, 0, ""},
		"long line":       {4, 200, strings.Repeat("x", 160) + "\n" + strings.Repeat(" ", 80) + "^"},
	} {
		if got := deployfile.Excerpt(text, sluice.Position{Line: test.line, Column: test.column}); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// Whatever the text, Parse returns a spec or an error with a place inside the text, and the same again.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		complete(t, data)
		_, ds := deployfile.Parse("fuzz.yaml", data)
		if _, again := deployfile.Parse("fuzz.yaml", data); again.Error() != ds.Error() {
			t.Fatalf("first\n%v\nthen\n%v", ds, again)
		}
	})
}

// complete parses the text and reports findings that lack something, are made twice, or come out of their order.
func complete(t *testing.T, data []byte) *sluice.Spec {
	t.Helper()
	spec, ds := deployfile.Parse("fuzz.yaml", data)
	if (spec == nil) != ds.HasErrors() {
		t.Fatalf("spec %v with findings %v", spec != nil, ds)
	}
	made, last := map[sluice.Diagnostic]bool{}, sluice.Position{}
	for _, d := range ds {
		if !d.Pos.IsValid() || d.Pos.Column < 1 || d.Pos.Line > len(yamldoc.Lines(data))+1 || d.Code == "" || d.Hint == "" ||
			d.Message == "" {
			t.Fatalf("incomplete finding %#v", d)
		}
		if strings.ContainsFunc(d.Message+d.Hint, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("a finding with hidden characters: %q", d.Message+d.Hint)
		}
		if d.Pos.Line < last.Line || d.Pos.Line == last.Line && d.Pos.Column < last.Column {
			t.Fatalf("%v after %v", d, last)
		}
		d.Hint, last = "", d.Pos
		if made[d] {
			t.Fatalf("found twice in\n%s\n%v", data, d)
		}
		made[d] = true
		_ = deployfile.Excerpt(data, d.Pos)
	}
	return spec
}

var shapes = []string{"pass", "12", "null", "[]", "[{}]", "[a]", "{a: b}", "''"}

var hostileScalars = []string{
	".inf", ".nan", "1e999", "1e308", "-1", "33.3", "99999999999999999999", "9223372036854775807", "0s", "-5m", "87600h",
	"99999999999h", "!!float x", "!custom x", `"a\0\nb"`, "'{{}}'", "'{{secrets.x}'", strings.Repeat("ж", 300),
}

// Every value of a complete file may have any other shape, and be any scalar. What is accepted can be planned and
// recorded.
func TestAnyValueInAnyPlace(t *testing.T) {
	data, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	root := manifests(t)
	for i, value := range slices.Concat(shapes, hostileScalars) {
		t.Run(value[:min(len(value), 20)], func(t *testing.T) {
			t.Parallel()
			var doc, other yaml.Node
			if err := errors.Join(yaml.Unmarshal(data, &doc), yaml.Unmarshal([]byte(value), &other)); err != nil {
				t.Fatal(err)
			}
			keys := keysIn(&doc)
			eachNode(&doc, func(n *yaml.Node) {
				if i >= len(shapes) && (n.Kind != yaml.ScalarNode || keys[n]) {
					return
				}
				was := *n
				*n = *other.Content[0]
				text, err := yaml.Marshal(&doc)
				*n = was
				if err != nil {
					t.Fatal(err)
				}
				planned(t, complete(t, text), root)
			})
		})
	}
}

// manifests returns a directory with what the complete file names.
func manifests(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"manifests/web.yaml": "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}",
		"tests/job.yaml": "{apiVersion: batch/v1, kind: Job, metadata: {name: t}, spec: {template: {spec: " +
			"{containers: [{name: t, image: 't:1'}], restartPolicy: Never}}}}",
	} {
		path := filepath.Join(root, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// planned compiles a spec that was accepted, and encodes what comes out.
func planned(t *testing.T, spec *sluice.Spec, root string) {
	t.Helper()
	if spec == nil {
		return
	}
	spec.Manifests = []sluice.ManifestSource{{Path: "manifests"}}
	p, _ := plan.Compile(spec, plan.Options{Root: root})
	for what, v := range map[string]any{"spec": spec, "plan": p} {
		if _, err := json.Marshal(v); err != nil {
			t.Fatalf("the %s cannot be recorded: %v", what, err)
		}
	}
	if p == nil {
		return
	}
	if err := plan.Tree(io.Discard, p, nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Duration() < 0 {
			t.Fatalf("%s takes %v", s.ID, s.Duration())
		}
	}
}

func eachNode(n *yaml.Node, do func(*yaml.Node)) {
	for _, inner := range n.Content {
		eachNode(inner, do)
		do(inner)
	}
}

func keysIn(n *yaml.Node) map[*yaml.Node]bool {
	keys := map[*yaml.Node]bool{}
	eachNode(n, func(n *yaml.Node) {
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			keys[n.Content[i]] = true
		}
	})
	return keys
}

func seed(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(file.Data)
			}
		}
	}
	design, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(design)
	f.Add([]byte(laughs()))
}
