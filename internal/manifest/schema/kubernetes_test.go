package schema_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

type published struct {
	Version string
	Types   map[string]struct{ Fields map[string]string }
}

func read(t *testing.T) published {
	t.Helper()
	data, err := os.ReadFile("kubernetes.json")
	if err != nil {
		t.Fatal(err)
	}
	var p published
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// A new version of k8s.io/api needs new types here: go generate ./internal/manifest/schema
func TestTypesAreThoseOfTheModule(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	minor := regexp.MustCompile(`k8s\.io/api v0\.(\d+)\.`).FindSubmatch(mod)
	if p := read(t); minor == nil || p.Version != "1."+string(minor[1]) {
		t.Errorf("kubernetes.json is of Kubernetes %s, k8s.io/api of %s: run go generate ./internal/manifest/schema",
			p.Version, minor)
	}
	page, err := os.ReadFile("../../../docs/deploy-file.md")
	if err != nil || !strings.Contains(string(page), "against Kubernetes "+read(t).Version+",") {
		t.Errorf("docs/deploy-file.md does not say that manifests are checked against Kubernetes %s", read(t).Version)
	}
	types := compared{read(t), t, map[reflect.Type]bool{}}
	for name, v := range map[string]any{
		"apps.v1.Deployment": appsv1.Deployment{}, "apps.v1.StatefulSet": appsv1.StatefulSet{},
		"apps.v1.DaemonSet": appsv1.DaemonSet{}, "batch.v1.CronJob": batchv1.CronJob{}, "core.v1.Service": corev1.Service{},
		"core.v1.ConfigMap": corev1.ConfigMap{}, "core.v1.Secret": corev1.Secret{},
		"core.v1.PersistentVolume":      corev1.PersistentVolume{},
		"policy.v1.PodDisruptionBudget": policyv1.PodDisruptionBudget{},
	} {
		types.compare(reflect.TypeOf(v), name)
	}
	if len(types.seen) < 100 {
		t.Errorf("only %d types were compared", len(types.seen))
	}
}

type compared struct {
	published
	t    *testing.T
	seen map[reflect.Type]bool
}

// compare compares the fields of a Go type with those of the published one, and follows them.
func (c compared) compare(of reflect.Type, name string) {
	if c.seen[of] {
		return
	}
	c.seen[of] = true
	fields, declared := c.Types[name].Fields, jsonFields(of)
	for field, inner := range declared {
		want, ok := fields[field]
		if !ok {
			c.t.Errorf("%s has no %s", name, field)
		}
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if want = strings.TrimPrefix(want, "[]"); len(c.Types[want].Fields) > 0 {
			c.compare(inner, want)
		}
	}
	if len(declared) != len(fields) {
		c.t.Errorf("%s has %d fields, the published type %d", of, len(declared), len(fields))
	}
}

// jsonFields returns the fields as they are in JSON.
func jsonFields(of reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range of.NumField() {
		f := of.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && options == "inline" {
			maps.Copy(fields, jsonFields(f.Type))
		} else if name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}
