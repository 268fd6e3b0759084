package manifest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

func names(objs []sluice.Object) []string {
	var list []string
	for _, o := range objs {
		list = append(list, o.Ref().String())
	}
	return list
}

func codes(ds sluice.Diagnostics) []string {
	var list []string
	for _, d := range ds {
		list = append(list, d.Pos.String()+" "+d.Code)
	}
	return list
}

func parse(t *testing.T, text string) []sluice.Object {
	t.Helper()
	objs, ds := manifest.Parse("m.yaml", []byte(text))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	return objs
}

// decode returns objects as a cluster has them, without a check.
func decode(t *testing.T, text string) []sluice.Object {
	t.Helper()
	roots, ds := yamldoc.Read("m.yaml", []byte(text), yamldoc.Limits{Bytes: 1 << 20, Nodes: 1000, Depth: 100})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	var objs []sluice.Object
	for _, root := range roots {
		v, err := yamldoc.Value(root)
		if err != nil {
			t.Fatal(err)
		}
		objs = append(objs, v.(map[string]any))
	}
	return objs
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		names []string
		codes []string
	}{
		"documents": {
			text: "---\n# nothing\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n---\napiVersion: " +
				"policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: b\n",
			names: []string{"Service/a", "PodDisruptionBudget/b"},
		},
		"list": {
			text: "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- " +
				"{apiVersion: v1, kind: ConfigMap}\n",
			names: []string{"ConfigMap/a"}, codes: []string{"m.yaml:5:3 manifest-field-missing"},
		},
		"list of one kind": {
			text:  "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n",
			names: []string{"ConfigMap/a"},
		},
		"metadata is text": {text: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name:a\n",
			codes: []string{"m.yaml:4:3 manifest-field-type"}},
		"json": {text: "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Secret\", \"metadata\": {\"name\": " +
			"\"a\"}, \"type\": \"\\ud83d\\ude00\"}", names: []string{"Secret/a"}},
		"json with a mistake": {text: "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ConfigMap\",\n\t\"metadata\": " +
			"{\"name\": \"a\"},\n\t\"data\": {\n\t\t\"a\": 1\n\t}\n}", codes: []string{"m.yaml:6:8 manifest-field-type"}},
		"bare pod": {text: "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", names: []string{"Pod/a"},
			codes: []string{"m.yaml:2:7 bare-workload"}},
		"bare replicas": {text: "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: a}\n",
			codes: []string{"m.yaml:2:7 bare-workload"}},
		"nothing in it": {text: "\na: b\n", codes: []string{"m.yaml:2:1 manifest-field-missing",
			"m.yaml:2:1 manifest-field-missing", "m.yaml:2:1 manifest-field-missing"}},
		"no map": {text: "- a\n", codes: []string{"m.yaml:1:1 bad-manifest"}},
		"twice": {text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: a\n  k: b\n",
			codes: []string{"m.yaml:6:3 bad-manifest"}},
		"no number": {text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: .nan\n",
			codes: []string{"m.yaml:4:12 bad-manifest"}},
		"helm left over": {text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: {{.Values.x}}\n",
			codes: []string{"m.yaml:4:4 helm"}},
		"actions of another program": {text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {a: 1}}\n" +
			"data:\n  a.tmpl: |\n    {{ template \"title\" . }} {{ .Values }}\n",
			codes: []string{"m.yaml:3:33 manifest-field-type"}},
		"broken behind": {text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\na: [\n",
			names: []string{"ConfigMap/a"}, codes: []string{"m.yaml:5:4 yaml-syntax"}},
	} {
		t.Run(name, func(t *testing.T) {
			objs, ds := manifest.Parse("m.yaml", []byte(test.text))
			if diff := cmp.Diff(test.names, names(objs)); diff != "" {
				t.Errorf("objects:\n%s", diff)
			}
			if diff := cmp.Diff(test.codes, codes(ds)); diff != "" {
				t.Errorf("findings:\n%s\n%v", diff, ds)
			}
		})
	}
}

// Values have the types that a cluster's own JSON has.
func TestParseValues(t *testing.T) {
	o := parse(t, `
apiVersion: example.com/v1
kind: X
metadata: {name: a}
int: 3
mode: 0644
float: 1.5
big: 18446744073709551615
text: "3"
yes: [yes, off, "yes", true]
date: 2024-01-02
none: null
base: &b {a: 1, b: 2}
merged: {<<: *b, b: 3}
again: *b
`)[0]
	for key, want := range map[string]any{
		"int": int64(3), "mode": int64(420), "float": 1.5, "big": 18446744073709551615.0, "text": "3",
		"yes":  []any{true, false, "yes", true},
		"date": "2024-01-02", "none": nil, "merged": map[string]any{"a": int64(1), "b": int64(3)},
		"again": map[string]any{"a": int64(1), "b": int64(2)},
	} {
		if diff := cmp.Diff(want, o[key]); diff != "" {
			t.Errorf("%s:\n%s", key, diff)
		}
	}
	j := parse(t, "{\"apiVersion\":\t\"a.b/v1\", \"kind\": \"X\", \"metadata\": {\"name\": \"a\"}, \"x\": "+
		`"\ud83d\ude00\ud83d \\u0041\\ \"\/\n`+"\u2028\"}")[0]
	if got, want := j.Text("x"), "😀\ufffd \\u0041\\ \"/\n\u2028"; got != want {
		t.Errorf("the text in JSON is %q, want %q", got, want)
	}
	o.Set(int64(9), "again", "a")
	if got := o.Number(0, "base", "a"); got != 1 {
		t.Errorf("a change behind an alias reached its source: %d", got)
	}
}

func TestParseBounds(t *testing.T) {
	many := []byte(strings.Repeat("---\n{apiVersion: example.com/v1, kind: X, metadata: {name: a}}\n", 5001))
	objs, ds := manifest.Parse("m.yaml", many)
	if len(objs) != 5000 || len(ds) != 1 || ds[0].Code != "too-many-objects" {
		t.Errorf("%d objects, %.200v", len(objs), ds)
	}
	unknown := "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {" + strings.Repeat("x: 1, ", 150) + "}}\n---\n"
	if _, ds := manifest.Parse("m.yaml", []byte(strings.Repeat(unknown, 200))); len(ds) > 1000 ||
		!slices.ContainsFunc(ds, func(d sluice.Diagnostic) bool { return d.Code == "too-many-findings" }) {
		t.Errorf("%d findings, %.200v", len(ds), ds)
	}
	if _, ds := manifest.Parse("m.yaml", bytes.Repeat([]byte("#"), 16<<20+1)); len(ds) != 1 || ds[0].Code != "too-large" {
		t.Errorf("%.200v", ds)
	}
}

const service = "apiVersion: v1\nkind: Service\nmetadata: {name: %}\n"

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(service, "%", text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestLoad(t *testing.T) {
	root := tree(t, map[string]string{
		"app/b.yaml": "b", "app/a/z.yml": "z", "app/c.txt": "c", "app/d.json": "d", "one.yaml": "one",
		"../outside.yaml": "outside",
		"kust/a.yaml":     "a", "deep/n.yaml": "n", "deep/k/a.yaml": "a", "empty/readme.md": "x", "broken/b.yaml": "b",
	})
	for dir, text := range map[string]string{"kust": "namePrefix: eu-\nresources: [a.yaml]\n",
		"deep/k": "namePrefix: eu-\nresources: [a.yaml]\n", "broken": "resources: [absent.yaml]\n"} {
		if err := os.WriteFile(filepath.Join(root, dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "nothing.yaml"), []byte("# nothing\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"out.yaml": "../outside.yaml", "abs.yaml": filepath.Join(root, "one.yaml"),
		"in.yaml": "one.yaml", "app/link.yaml": "../one.yaml"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		src   sluice.ManifestSource
		names []string
		code  string
		hint  string
	}{
		"file":   {src: sluice.ManifestSource{Path: "one.yaml"}, names: []string{"Service/one"}},
		"dotted": {src: sluice.ManifestSource{Path: "./app/../one.yaml"}, names: []string{"Service/one"}},
		"directory": {src: sluice.ManifestSource{Path: "app"}, names: []string{"Service/z", "Service/b",
			"Service/one"}},
		"link inside":   {src: sluice.ManifestSource{Path: "in.yaml"}, names: []string{"Service/one"}},
		"link outside":  {src: sluice.ManifestSource{Path: "out.yaml"}, code: "path-outside"},
		"absolute link": {src: sluice.ManifestSource{Path: "abs.yaml"}, code: "path-outside"},
		"parent":        {src: sluice.ManifestSource{Path: "../outside.yaml"}, code: "path-outside"},
		"leading slash": {src: sluice.ManifestSource{Path: "/one.yaml"}, names: []string{"Service/one"}},
		"absolute":      {src: sluice.ManifestSource{Path: "/etc/one.yaml"}, code: "path-not-found"},
		"misspelled": {src: sluice.ManifestSource{Path: "app/a/z.yaml"}, code: "path-not-found",
			hint: "did you mean app/a/z.yml?"},
		"wrong directory": {src: sluice.ManifestSource{Path: "ap/a/z.yml"}, code: "path-not-found",
			hint: "did you mean app/a/z.yml?"},
		"kustomize":        {src: sluice.ManifestSource{Path: "kust"}, names: []string{"Service/eu-a"}},
		"kustomize file":   {src: sluice.ManifestSource{Path: "kust/kustomization.yaml"}, names: []string{"Service/eu-a"}},
		"url":              {src: sluice.ManifestSource{Path: "https://example.com/a.yaml"}, code: "address-refused"},
		"url without tls":  {src: sluice.ManifestSource{Path: "http://example.com/a.yaml"}, code: "address-refused"},
		"kustomize inside": {src: sluice.ManifestSource{Path: "deep"}, names: []string{"Service/eu-a", "Service/n"}},
		"kustomize broken": {src: sluice.ManifestSource{Path: "broken"}, code: "kustomize"},
		"nothing to read":  {src: sluice.ManifestSource{Path: "empty"}, code: "empty-source"},
		"inline": {src: sluice.ManifestSource{Inline: strings.ReplaceAll(service, "%", "i")},
			names: []string{"Service/i"}},
		"file is empty":     {src: sluice.ManifestSource{Path: "nothing.yaml"}, code: "empty-source"},
		"inline is nothing": {src: sluice.ManifestSource{Inline: "\n"}, code: "empty-source"},
		"inline is wrong":   {src: sluice.ManifestSource{Inline: "a: b"}, code: "manifest-field-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			test.src.Pos = sluice.Position{File: "deploy.yaml", Line: 7, Column: 5}
			documents, ds := manifest.Load(root, test.src, manifest.Options{})
			if diff := cmp.Diff(test.names, names(manifest.Objects(documents))); diff != "" {
				t.Errorf("objects:\n%s", diff)
			}
			if ds.HasErrors() != (test.code != "") || test.code != "" && (ds[0].Code != test.code || ds[0].Pos != test.src.Pos ||
				ds[0].Hint == "") {
				t.Fatalf("findings %v, want %q at the source", ds, test.code)
			}
			if test.hint != "" && ds[0].Hint != test.hint {
				t.Errorf("hint %q, want %q", ds[0].Hint, test.hint)
			}
		})
	}
}

// A path begins at the deploy file's directory or, if nothing is there, at the root, and it may go up to the root.
func TestLoadFromADirectoryBelowRoot(t *testing.T) {
	root := tree(t, map[string]string{"deploy/near.yaml": "near", "deploy/both.yaml": "inner", "both.yaml": "outer",
		"manifests/far.yaml": "far", "../outside.yaml": "outside"})
	if err := os.Symlink("../../outside.yaml", filepath.Join(root, "deploy", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct{ name, code, hint string }{
		"near.yaml":              {name: "Service/near"},
		"both.yaml":              {name: "Service/inner"},
		"/both.yaml":             {name: "Service/outer"},
		"../both.yaml":           {name: "Service/outer"},
		"../manifests/far.yaml":  {name: "Service/far"},
		"manifests/far.yaml":     {name: "Service/far"},
		"../../outside.yaml":     {code: "path-outside", hint: "--root .."},
		"../../../a/b.yaml":      {code: "path-outside", hint: "--root ../.."},
		"../../root/../../a/b/c": {code: "path-outside", hint: "--root ../.."},
		"link.yaml":              {code: "path-outside"},
		"../manifests/fr.yaml":   {code: "path-not-found", hint: "did you mean manifests/far.yaml?"},
	} {
		src := sluice.ManifestSource{Path: path, Pos: sluice.Position{File: "deploy.yaml", Line: 1, Column: 1}}
		documents, ds := manifest.Load(root, src, manifest.Options{Dir: "deploy", Base: "."})
		if want.code != "" {
			if len(ds) != 1 || ds[0].Code != want.code || !strings.HasSuffix(ds[0].Hint, want.hint) {
				t.Errorf("%s: findings %v, want %v", path, ds, want)
			}
			continue
		}
		if diff := cmp.Diff([]string{want.name}, names(manifest.Objects(documents))); diff != "" {
			t.Errorf("%s: %s\n%v", path, diff, ds)
		}
	}
}

func TestLoadAddress(t *testing.T) {
	const address = "https://example.com/a.yaml?token=hidden"
	for name, test := range map[string]struct {
		served string
		err    error
		code   string
	}{
		"manifests":   {served: strings.ReplaceAll(service, "%", "a")},
		"nothing":     {code: "empty-source"},
		"refused":     {err: sluice.Errorf(sluice.Denied, "10.0.0.1 is not a public address"), code: "address-refused"},
		"unreachable": {err: sluice.Errorf(sluice.Unavailable, "the server answers 404"), code: "address-unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			fetch := func(asked string) ([]byte, error) {
				if asked != address {
					t.Errorf("fetched %s, want %s", asked, address)
				}
				return []byte(test.served), test.err
			}
			objs, ds := manifest.Load(t.TempDir(), sluice.ManifestSource{Path: address}, manifest.Options{Fetch: fetch})
			if test.code == "" && (len(objs) != 1 || len(ds) > 0) || test.code != "" &&
				(len(ds) != 1 || ds[0].Code != test.code) {
				t.Fatalf("%d objects, findings %v; want %q", len(objs), ds, test.code)
			}
			if strings.Contains(ds.Error(), "hidden") || test.err != nil && !strings.Contains(ds.Error(), test.err.Error()) {
				t.Errorf("findings show the secret or not the cause: %v", ds)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(service))
	f.Add([]byte("kind: List\nitems: [{apiVersion: v1, kind: A, metadata: {name: b}}, &a {<<: *a}]"))
	f.Add([]byte(`{"apiVersion": "v1", "kind": "A", "metadata": {"name": "b"}, "x": [1, 2.5, 1e400]}`))
	for _, text := range hostile() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		objs, ds := manifest.Parse("m.yaml", data)
		for _, o := range objs {
			if r := o.Ref(); r.Kind == "" || r.Name == "" || r.APIVersion == "" {
				t.Fatalf("object without a name: %v", o)
			}
			_ = manifest.Status(o)
			if d := manifest.Diff(o, o.Clone()); d != "" {
				t.Fatalf("an object differs from itself:\n%s", d)
			}
		}
		manifest.SetNamespace(objs, "n")
		if len(manifest.Order(objs)) != len(objs) {
			t.Fatal("an object was lost")
		}
		for _, d := range ds {
			if d.Pos.Column < 1 || d.Pos.Line < 1 || d.Pos.Line > len(yamldoc.Lines(data)) || d.Code == "" || d.Hint == "" {
				t.Fatalf("finding without a place in the text, code or hint: %#v", d)
			}
			if strings.ContainsFunc(d.Message+d.Hint, func(r rune) bool { return !strconv.IsPrint(r) }) {
				t.Fatalf("the finding has a character that cannot be seen: %q", d.Message+d.Hint)
			}
		}
	})
}

// hostile are texts that want a parser to fail, to run long, or to show something else than they are.
func hostile() []string {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	bomb := config + "x0: &x0 [a, a, a, a, a, a, a, a, a]\n"
	for c := '1'; c <= '9'; c++ {
		bomb += "x" + string(c) + ": &x" + string(c) + " [" + strings.Repeat("*x"+string(c-1)+", ", 9) + "]\n"
	}
	return []string{
		bomb,
		config + "data: {a: &a [*a]}",
		config + "data: {<<: [*b, &b {<<: *b}]}",
		config + "data: " + strings.Repeat("[", 300) + strings.Repeat("]", 300),
		config + "data: " + strings.Repeat("{a: ", 190) + strings.Repeat("}", 190),
		config + "data: {a: \xc3\x28}",
		config + "data: {\"a\\u202eb\\u0007\": \"\\u001b[2J\", \"\\u2066\": 3}",
		config + "data: {a: 1, a: 2, a: [3]}\nmetadata: 3\nkind: Secret",
		config + "\u202edata: {a: 1}",
		config + "data: {a: !!binary x, b: !<\u202e> y, c: !!float .nan, ? [d] : e, ? {f: g} : h}",
		"apiVersion: \"v1\\u202e\"\nkind: \"A\\u0007\"\nmetadata: {name: \"\\u202e\", " +
			"annotations: {helm.sh/hook: \"\\u202e\"}}",
		"apiVersion: v1\nkind: Pod\nmetadata: []\nspec: {containers: {}, volumes: [[]]}",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: [], template: 3, replicas: {}}",
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {volumeClaimTemplates: [3, [], {metadata: 3}], " +
			"selector: {matchLabels: 3}, template: {metadata: {labels: [a]}, spec: {containers: [3, {volumeMounts: [4]}]}}}",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [3, {}, [], {name: []}]}",
		"kind: List\nitems: {a: b}\n---\nkind: List\nitems: [[], 3, ~]",
	}
}
