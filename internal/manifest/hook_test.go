package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

func annotated(kind, annotations string) string {
	apiVersion := map[string]string{"Job": "batch/v1"}[kind]
	spec := "{template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}"
	if apiVersion == "" {
		return "apiVersion: v1\nkind: " + kind + "\nmetadata:\n  name: a\n  annotations:\n    " + annotations + "\n"
	}
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata:\n  name: a\n  annotations:\n    " + annotations +
		"\nspec: " + spec + "\n"
}

// A hook of another system is never applied with the other objects; the hint says what does the same.
func TestParseHooks(t *testing.T) {
	const before = "constraints: {beforeDeployment: [{runJob: {name: a, path: FILE}}]}"
	for text, want := range map[string]string{
		annotated("Job", "helm.sh/hook: pre-install,pre-upgrade"):           "error hook " + before,
		annotated("Job", "helm.sh/hook: post-upgrade"):                      "error hook constraints: {afterDeployment:",
		annotated("Job", "helm.sh/hook: post-rollback"):                     "error hook onRollback: [{runJob: {name: a,",
		annotated("Job", "helm.sh/hook: pre-upgrade,post-rollback"):         "error hook and the same to onRollback",
		annotated("Job", "helm.sh/hook: pre-delete"):                        "error hook a deployment has no such moment",
		annotated("Job", "helm.sh/hook: pre-delete,post-upgrade"):           "error hook constraints: {afterDeployment:",
		annotated("Job", "argocd.argoproj.io/hook: Sync"):                   "error hook remove the annotation",
		annotated("Job", "helm.sh/hook: test"):                              "warning hook constraints: {afterDeployment:",
		annotated("Pod", "helm.sh/hook: test-success"):                      "warning hook make it a Job",
		annotated("Job", "argocd.argoproj.io/hook: PreSync"):                "error hook " + before,
		annotated("Job", "argocd.argoproj.io/hook: SyncFail"):               "error hook onRollback: [",
		annotated("Job", "argocd.argoproj.io/hook: Skip"):                   "error hook a deployment has no such moment",
		annotated("ConfigMap", "helm.sh/hook: pre-install"):                 "error hook remove the annotation",
		annotated("ConfigMap", "helm.sh/hook: crd-install"):                 "error hook applies definitions first",
		annotated("ConfigMap", "argocd.argoproj.io/sync-wave: \"2\""):       "warning ignored-annotation sluice plan",
		annotated("ConfigMap", "kapp.k14s.io/change-group: example.com/db"): "warning ignored-annotation sluice plan",
		annotated("ConfigMap", "example.com/hook: pre-install"):             "",
	} {
		objs, ds := manifest.Parse("m.yaml", []byte(text))
		got := sluice.Diagnostic{}
		for _, d := range ds {
			if d.Code != "bare-workload" && d.Code != "manifest-field-missing" {
				got = d
			}
		}
		severity, code, hint := "", "", want
		if want != "" {
			_, _ = fmt.Sscan(want, &severity, &code)
			hint = strings.TrimPrefix(want, severity+" "+code+" ")
		}
		if string(got.Severity) != severity || got.Code != code || !strings.Contains(got.Hint, hint) ||
			want != "" && got.Pos != (sluice.Position{File: "m.yaml", Line: 6, Column: 5}) {
			t.Errorf("%s: got %v, hint %q; want %s", text, got, got.Hint, want)
		}
		if applied := code != "hook"; applied != (len(objs) == 1) {
			t.Errorf("%s: applied is %v, want %v (%v)", text, !applied, applied, ds)
		}
	}
}

// A step runs a hook at its place.
func TestLoadHookForAStep(t *testing.T) {
	src := sluice.ManifestSource{Inline: annotated("Job", "helm.sh/hook: pre-upgrade")}
	documents, ds := manifest.Load(t.TempDir(), src, manifest.Options{Hooks: true})
	if len(documents) != 1 || len(ds) > 0 {
		t.Errorf("%d objects, findings %v", len(documents), ds)
	}
}

// What another program must render is named as a whole, not line by line.
func TestLoadUnrendered(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"app/Chart.yaml":           "apiVersion: v2\nname: app\n",
		"app/templates/web.yaml":   "{{- if .Values.web }}\napiVersion: v1\n{{- end }}\n",
		"all/charts/x/Chart.yaml":  "apiVersion: v2\nname: app\n",
		"all/charts/x/values.yaml": "a: b\n",
		"all/ok.yaml":              strings.ReplaceAll(service, "%", "ok"),
		"k.yaml":                   "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n",
		"text.yaml":                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {t: \"{{ .Values.x }}\"}\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"app":                    {"deploy.yaml:7:5 helm"},
		"app/Chart.yaml":         {"deploy.yaml:7:5 helm"},
		"app/templates/web.yaml": {filepath.Join("app", "templates", "web.yaml") + ":1:1 helm"},
		"all":                    {"deploy.yaml:7:5 helm"},
		"k.yaml":                 {"k.yaml:1:13 kustomize"},
		"text.yaml":              nil,
	} {
		src := sluice.ManifestSource{Path: path, Pos: sluice.Position{File: "deploy.yaml", Line: 7, Column: 5}}
		_, ds := manifest.Load(root, src, manifest.Options{})
		if diff := cmp.Diff(want, codes(ds)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%v", path, diff, ds)
		}
	}
}
