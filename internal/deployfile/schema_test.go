package deployfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// The committed schemas are those of this version.
func TestSchemaFiles(t *testing.T) {
	for name, want := range map[string][]byte{"deploy-file.json": deployfile.Schema(),
		"included-file.json": deployfile.IncludedSchema()} {
		path := filepath.Join("../../schema", name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale; run go test ./internal/deployfile -update:\n%s", path, diff)
		}
	}
}

func compiled(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns the file as an editor's schema check sees it; false if it is no YAML.
func asJSON(t *testing.T, name string, data []byte) (any, bool) {
	t.Helper()
	roots, ds := yamldoc.Read(name, data, yamldoc.Limits{Bytes: 4 << 20, Nodes: 250_000, Depth: 100})
	if ds.HasErrors() || len(roots) != 1 {
		return nil, false
	}
	v, err := yamldoc.Value(roots[0])
	if err != nil {
		return nil, false
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc, true
}

// What the parser says about the shape of a file, the schema sees too.
var aboutShape = map[string]bool{
	"unknown-key": true, "misplaced-key": true, "wrong-type": true, "unknown-step": true, "step-not-here": true,
	"step-indent":   true,
	"missing-space": true, "unquoted-template": true, "unsupported-kind": true,
}

func judge(t *testing.T, s *jsonschema.Schema, name string, data []byte) {
	doc, ok := asJSON(t, name, data)
	if !ok {
		return
	}
	spec, ds := deployfile.Parse(name, data)
	err := s.Validate(doc)
	if spec != nil && err != nil {
		t.Errorf("%s: the parser accepts it, the schema does not: %v", name, err)
	}
	for _, d := range ds {
		if d.Severity == sluice.SeverityError && aboutShape[d.Code] && err == nil {
			t.Errorf("%s: the schema accepts what the parser refuses: %s", name, d)
			return
		}
	}
}

// Schema and parser agree on every real file and on the goldens.
func TestSchemaAgrees(t *testing.T) {
	s := compiled(t, deployfile.Schema())
	compiled(t, deployfile.IncludedSchema())
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasSuffix(f.Name, ".yaml") {
				judge(t, s, name+"/"+f.Name, f.Data)
			}
		}
	}
	files := []string{"testdata/design.yaml"}
	_ = filepath.WalkDir(corpus, func(path string, _ fs.DirEntry, err error) error { // absent beside other checkouts
		if ext := filepath.Ext(path); err == nil && (ext == ".yml" || ext == ".yaml") {
			files = append(files, path)
		}
		return nil
	})
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		judge(t, s, filepath.Base(name), data)
	}
	t.Logf("%d real files", len(files)-1)
}

// At every place of a file that uses the whole format, a key too many and a value of another type are refused by
// both.
func TestSchemaAgreesOnEveryPlace(t *testing.T) {
	s := compiled(t, deployfile.Schema())
	data, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := asJSON(t, "design.yaml", data)
	tried := 0
	var walk func(v any, path string, set func(any))
	try := func(path string, what string) {
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		tried++
		spec, _ := deployfile.Parse("design.yaml", text)
		again, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if bad := s.Validate(again) != nil; bad != (spec == nil) {
			t.Errorf("%s at %s: refused by the schema: %t, by the parser: %t", what, path, bad, spec == nil)
		}
	}
	walk = func(v any, path string, set func(any)) {
		for what, wrong := range map[string]any{"a list": []any{[]any{}}, "a map": map[string]any{"x": map[string]any{}},
			"a truth": true} {
			set(wrong)
			try(path, what)
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, k := range keysOf(v) {
				walk(v[k], path+"."+k, func(x any) { v[k] = x })
			}
			v["surplus"] = "x"
			try(path, "a key too many")
			delete(v, "surplus")
		case []any:
			for i := range v {
				walk(v[i], fmt.Sprintf("%s[%d]", path, i), func(x any) { v[i] = x })
			}
		}
	}
	walk(doc, "", func(x any) { doc = x })
	if tried < 300 {
		t.Errorf("only %d changes were tried", tried)
	}
}

func keysOf(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
