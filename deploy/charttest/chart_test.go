package charttest

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

type object = map[string]any

// variants are the directories of the plain manifests, each with the values that give the same.
var variants = map[string]object{
	"sqlite":   {},
	"postgres": {"replicas": 3, "database": object{"secretName": "sluice-database"}},
}

// set are the keys of server in sluice.yaml that the chart sets.
var set = []string{"listen", "key", "tls", "behindProxy", "database"}

// values returns the values of a variant, with the accounts, roles and so on of its plain sluice.yaml.
func values(t *testing.T, variant string) object {
	t.Helper()
	config := parse(t, readFile(t, filepath.Join("..", "server", variant, "sluice.yaml")))
	for _, key := range set {
		delete(config["server"].(object), key)
	}
	all := object{"config": config}
	maps.Copy(all, variants[variant])
	return all
}

// render returns the files that the chart gives as the release sluice in the namespace sluice.
func render(t *testing.T, values object) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load("../chart")
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "sluice", Namespace: "sluice", IsInstall: true}
	all, err := chartutil.ToRenderValues(c, roundTrip(t, values), release, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// rendered returns the objects of the chart.
func rendered(t *testing.T, values object) map[string]object {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	var list []sluice.Object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) == ".yaml" && strings.TrimSpace(files[name]) != "" {
			list = append(list, checked(t)(manifest.Parse(name, []byte(files[name])))...)
		}
	}
	return byName(t, list)
}

// plain returns the objects of the manifests, and the ServiceAccount that they need.
func plain(t *testing.T, variant string) map[string]object {
	t.Helper()
	var list []sluice.Object
	for _, from := range []string{path.Join("server", variant), "account.yaml"} {
		documents, ds := manifest.Load("..", sluice.ManifestSource{Path: from}, manifest.Options{})
		list = append(list, checked(t)(manifest.Objects(documents), ds)...)
	}
	all := byName(t, list)
	delete(all, "Namespace/sluice") // helm makes it
	return all
}

func checked(t *testing.T) func([]sluice.Object, sluice.Diagnostics) []sluice.Object {
	return func(list []sluice.Object, ds sluice.Diagnostics) []sluice.Object {
		t.Helper()
		for _, d := range ds {
			t.Errorf("%s: %s", d.Pos, d.Message)
		}
		return list
	}
}

func byName(t *testing.T, list []sluice.Object) map[string]object {
	t.Helper()
	all := map[string]object{}
	for _, o := range list {
		o := roundTrip(t, object(o))
		meta := o["metadata"].(object)
		all[o["kind"].(string)+"/"+meta["name"].(string)] = o
		if meta["namespace"] != "sluice" && o["kind"] != "Namespace" {
			t.Errorf("%s %s is in the namespace %v", o["kind"], meta["name"], meta["namespace"])
		}
	}
	return all
}

func TestTheChartGivesThePlainManifests(t *testing.T) {
	for variant := range variants {
		t.Run(variant, func(t *testing.T) {
			want, got := plain(t, variant), rendered(t, values(t, variant))
			for _, all := range []map[string]object{want, got} {
				config := all["ConfigMap/sluice"]["data"].(object)
				config["sluice.yaml"] = parse(t, config["sluice.yaml"].(string)) // the order of keys does not matter
				for _, o := range all {
					withoutLabels(o)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-plain +chart):\n%s", diff)
			}
		})
	}
}

// withoutLabels deletes the labels that only the chart has, wherever they are, and what is empty without them.
func withoutLabels(value any) {
	switch v := value.(type) {
	case object:
		for _, label := range []string{
			"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart",
		} {
			delete(v, label)
		}
		for _, inner := range v {
			withoutLabels(inner)
		}
		if meta, ok := v["metadata"].(object); ok && v["kind"] == "ServiceAccount" {
			delete(meta, "labels")
		}
	case []any:
		for _, inner := range v {
			withoutLabels(inner)
		}
	}
}

// A proxy speaks TLS: the servers have no certificate, and only the proxy reaches them.
func TestBehindAnIngress(t *testing.T) {
	v := values(t, "sqlite")
	v["tlsSecretName"] = ""
	proxy := object{"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": "ingress"}}}
	v["networkPolicy"] = object{"from": []any{proxy}}
	v["ingress"] = object{"enabled": true, "host": "sluice.example.com", "className": "nginx", "tlsSecretName": "public"}
	all := rendered(t, v)
	decodes(t, all)
	server := parse(t, all["ConfigMap/sluice"]["data"].(object)["sluice.yaml"].(string))["server"].(object)
	if server["behindProxy"] != true || server["tls"] != nil {
		t.Errorf("the server is told %v", server)
	}
	configIsRight(t, all)
	rule := all["NetworkPolicy/sluice"]["spec"].(object)["ingress"].([]any)[0].(object)
	if diff := cmp.Diff([]any{proxy}, rule["from"]); diff != "" {
		t.Error(diff)
	}
	port := all["Service/sluice"]["spec"].(object)["ports"].([]any)[0].(object)
	if port["name"] != "http" || port["port"] != 80.0 || all["Ingress/sluice"] == nil {
		t.Errorf("the Service has the port %v", port)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for want, change := range map[string]func(v object){
		"database.secretName": func(v object) { v["replicas"] = 2 },
		"networkPolicy.from":  func(v object) { v["tlsSecretName"] = "" },
		"config.repository":   func(v object) { v["database"] = object{"secretName": "x"} },
		"ingress.host":        func(v object) { v["ingress"] = object{"enabled": true} },
		"address":             func(v object) { delete(v["config"].(object)["server"].(object), "address") },
		"accounts":            func(v object) { delete(v["config"].(object), "accounts") },
		"listen":              func(v object) { v["config"].(object)["server"].(object)["listen"] = "127.0.0.1:1" },
		"replica":             func(v object) { v["image"] = object{"replica": 1} },
	} {
		v := values(t, "sqlite")
		change(v)
		if _, err := render(t, v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestNotesNameTheObjects(t *testing.T) {
	files, err := render(t, values(t, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	notes := files["sluice/templates/NOTES.txt"]
	for _, want := range []string{
		"https://sluice.example.com", "deployment/sluice", "sluice, sluice-database, sluice-tls", "--namespace sluice",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parse(t *testing.T, text string) (value object) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// roundTrip returns the object with the types that JSON has.
func roundTrip(t *testing.T, o object) (value object) {
	t.Helper()
	data, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}
