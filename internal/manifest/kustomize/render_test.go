package kustomize_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/manifest/kustomize"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {release: '1'}\n"

func directory(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// An overlay over a base beside it, with patches, generators and images, as people have them.
func TestRender(t *testing.T) {
	root := directory(t, map[string]string{
		"base/kustomization.yaml": "resources: [shop.yaml, web.yaml]\n",
		"base/shop.yaml":          configMap,
		"base/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: " +
			"{containers: [{name: web, image: web}]}}}\n",
		"eu/kustomization.yaml": `resources: [../base]
namespace: eu
images: [{name: web, newTag: "2"}]
commonAnnotations: {docs: "https://example.com/docs"}
patches:
  - target: {kind: ConfigMap, name: shop}
    patch: |
      - {op: add, path: /data/see, value: "https://example.com"}
configMapGenerator:
  - name: made
    files: [settings=app.conf]
    literals: ["url=https://example.com"]
generatorOptions: {disableNameSuffixHash: true}
`,
		"eu/app.conf": "a=b\n",
	})
	for range 2 {
		text, _, err := kustomize.Render(root, "eu", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"namespace: eu", "image: web:2", "name: made", "see: https://example.com", "a=b",
			"url: https://example.com"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("there is no %q in:\n%s", want, text)
			}
		}
	}
}

// Nothing is read from elsewhere, nothing outside the directory, and nothing is run.
func TestRenderStaysInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, []byte(configMap), 0o600); err != nil {
		t.Fatal(err)
	}
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "*" + string(c-1) + "]\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"https resource":      {"resources: ['https://example.com/a.yaml']", "is remote"},
		"another letter case": {"Resources: ['https://example.com/a.yaml']", "unknown key Resources"},
		"git address":         {"resources: ['git@example.com:a/b.git']", "is remote"},
		"github":              {"resources: ['github.com/a/b?ref=v1']", "is remote"},
		"GitHub":              {"resources: ['GitHub.com/a/b']", "is remote"},
		"forced git":          {"resources: ['git::https://example.com/a/b']", "is remote"},
		"file address":        {"resources: ['file:///etc']", "is remote"},
		"remote base":         {"bases: ['https://example.com/a/b']", "is remote"},
		"remote component":    {"components: ['ssh://git@example.com/a/b']", "is remote"},
		"remote patch":        {"patches: [{path: 'https://example.com/a.yaml'}]", "is remote"},
		"remote patch, case":  {"patches: [{PATH: 'https://example.com/a.yaml'}]", "is remote"},
		"old patch":           {"patchesStrategicMerge: ['https://example.com/a.yaml']", "is remote"},
		"remote file": {"configMapGenerator: [{name: a, files: ['k=https://example.com/a']}]",
			"is remote"},
		"remote schema": {"openapi: {path: 'https://example.com/a'}", "is remote"},
		"helm":          {"helmCharts: [{name: a, repo: 'https://example.com'}]", "Helm charts are not supported"},
		"plugin":        {"generators: [gen.yaml]", "plugins are not supported"},
		"transformer":   {"transformers: [gen.yaml]", "plugins are not supported"},
		"above":         {"resources: [../../../../etc/passwd]", ""},
		"absolute":      {"resources: [/etc/passwd]", ""},
		"link":          {"resources: [link.yaml]", ""},
		"itself":        {"resources: [.]", ""},
		"aliases":       {"resources: [bomb.yaml]", "aliases expanded"},
		"aliases inline": {"patchesStrategicMerge:\n  - |\n    " + strings.ReplaceAll(bomb, "\n", "\n    "),
			"aliases expanded"},
		"no map": {"[]", "must be a map"},
	} {
		t.Run(name, func(t *testing.T) {
			root := directory(t, map[string]string{"k/kustomization.yaml": c.text + "\n", "k/bomb.yaml": bomb})
			if err := os.Symlink(outside, filepath.Join(root.Name(), "k", "link.yaml")); err != nil {
				t.Fatal(err)
			}
			text, _, err := kustomize.Render(root, "k", nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("rendered %q, %v; want an error with %q", text, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "root:") {
				t.Errorf("it was read: %v", err)
			}
		})
	}
}

// Bases that refer to bases twice each cannot make it read without end.
func TestRenderIsBounded(t *testing.T) {
	files := map[string]string{"last/kustomization.yaml": "resources: [a.yaml]\n", "last/a.yaml": configMap}
	next := "../last"
	for i := range 16 {
		for _, side := range []string{"a", "b"} {
			files[string(rune('a'+i))+side+"/kustomization.yaml"] = "namePrefix: " + side + "\nresources: [" + next + "]\n"
		}
		join := string(rune('a'+i)) + "j"
		files[join+"/kustomization.yaml"] = "resources: [../" + string(rune('a'+i)) + "a, ../" + string(rune('a'+i)) + "b]\n"
		next = "../" + join
	}
	root := directory(t, files)
	if _, _, err := kustomize.Render(root, strings.TrimPrefix(next, "../"), nil); err == nil ||
		!strings.Contains(err.Error(), "reads more than") {
		t.Errorf("rendered with %v", err)
	}
}

// What is out of date is said by the caller, never by the library to the process's standard error.
func TestWhatIsOutOfDateIsReported(t *testing.T) {
	root := directory(t, map[string]string{
		"base/kustomization.yaml": "resources: [shop.yaml]\ncommonLabels: {app: shop}\n",
		"base/shop.yaml":          configMap,
		"eu/kustomization.yaml": "bases: [../base]\npatchesStrategicMerge: ['{apiVersion: v1, kind: ConfigMap, " +
			"metadata: {name: shop}, data: {release: \"2\"}}']\n",
	})
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = write
	text, dated, err := kustomize.Render(root, "eu", nil)
	same := os.Stderr == write
	os.Stderr = stderr
	if err := errors.Join(err, write.Close()); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(read)
	if err != nil || len(said) > 0 || !same {
		t.Errorf("standard error got %q, and is back: %v, %v", said, same, err)
	}
	want := []string{
		"eu/kustomization.yaml: bases is out of date; write resources",
		"eu/kustomization.yaml: patchesStrategicMerge is out of date; write patches",
		"base/kustomization.yaml: commonLabels is out of date; write labels",
	}
	if diff := cmp.Diff(want, dated); diff != "" || !strings.Contains(string(text), `release: "2"`) {
		t.Errorf("rendered %s, out of date:\n%s", text, diff)
	}
}
