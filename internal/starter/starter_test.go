package starter

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/manifest"
)

const service = `{apiVersion: v1, kind: Service, metadata: {name: NAME},
  spec: {selector: {app: NAME}, ports: [{port: 27017}]}}
---
`

const stateful = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: NAME}
spec:
  serviceName: NAME
  replicas: 2
  ordinals: {start: 3}
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: NAME, image: "registry.example:5000/IMAGE:7@sha256:0123"}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
`

func objects(t *testing.T, name, image string, texts ...string) []sluice.Object {
	t.Helper()
	text := strings.NewReplacer("NAME", name, "IMAGE", image).Replace(strings.Join(texts, ""))
	list, ds := manifest.Parse("all.yaml", []byte(text))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	return list
}

func TestWorkloadsWithClaimsAreDatasets(t *testing.T) {
	const claims = "data-db-3 data-db-4"
	for name, c := range map[string]struct {
		objects []sluice.Object
		want    Dataset
	}{
		"a MongoDB server": {objects(t, "db", "mongo", service, stateful),
			Dataset{Engine: "mongodb", URI: "mongodb://db:27017/shop"}},
		"one that no Service leads to": {objects(t, "db", "mongo", stateful), Dataset{Engine: "files"}},
		"another server":               {objects(t, "db", "postgres", service, stateful), Dataset{Engine: "files"}},
	} {
		c.want.Name, c.want.Workload, c.want.Claims = "db", "StatefulSet/db", strings.Fields(claims)
		w := writer{Input: Input{Application: "shop", Objects: c.objects}}
		if diff := cmp.Diff([]Dataset{c.want}, w.datasets()); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestHostsThatThisMachineDoesNotResolveAreNamed(t *testing.T) {
	list := objects(t, "my-db", "mongo", service, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: NAME}, spec: {
  selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}}, spec: {
  initContainers: [{name: y, image: x, env: [{name: A, value: "mongodb://my-db:27017/x"}]}],
  containers: [{name: x, image: x, env: [{name: A, value: "mongodb://u:p@my-db:27017/x"},
  {name: B, value: "http://my-db-2/"}, {name: C, value: my-db}]}]}}}}`)
	w := writer{Input: Input{Objects: list}}
	w.names()
	want := []string{"A of Deployment/my-db names the host my-db, which this machine does not resolve: " +
		"write $(MY_DB_SERVICE_HOST)"}
	if diff := cmp.Diff(want, w.guesses); diff != "" {
		t.Error(diff)
	}
}

// Whatever the manifests hold, both files can be read.
func TestBothFilesAreValid(t *testing.T) {
	db := objects(t, "db", "mongo", service, stateful)
	front := objects(t, "front", "front", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: NAME}, spec: {
  selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME}}, spec: {containers: [
  {name: NAME, image: IMAGE}]}}}}`)
	program := map[string][]string{"front": {"bin/front", "--note", `it's "so": {x} # y`}, Images(db)[0]: {"mongod"}}
	for name, in := range map[string]Input{
		"a cluster":                {Objects: db, Kubeconfig: true},
		"the cluster of a context": {Objects: db, Context: "admin@east: #1"},
		"this machine":             {Objects: slices.Concat(db, front), Programs: program},
		"an account":               {Objects: front, Account: "west"},
		"a job and two datasets": {Objects: slices.Concat(db, objects(t, "cache", "redis", stateful)), Kubeconfig: true,
			Jobs: []Job{{"migrate", "jobs/it's.yaml"}}},
	} {
		in.Paths = []string{"manifests/with space: #1"}
		out, err := Write(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, ds := deployfile.Parse("deploy.yaml", []byte(out.Deploy)); len(ds) > 0 {
			t.Errorf("%s: %s\n%s", name, ds, out.Deploy)
		}
		if _, ds := config.Parse("sluice.yaml", []byte(out.Config)); len(ds) > 0 {
			t.Errorf("%s: %s\n%s", name, ds, out.Config)
		}
	}
}

func TestQuotedTextsAreReadAsTheyAre(t *testing.T) {
	for _, want := range []string{
		"shop", "mongo-data", "jobs/migrate.yaml", "true", "True", "null", "no", "on", "1.0", "1e3", "0x10", "a: b", "- a",
		"#", "", " a",
		"a,b", "{a}", "shop:2.0", "é", "it's", `"`, "2026-01-02", "manifests", "bin/shop", "\n", "&<>", "false",
	} {
		text, err := quote(want)
		var got map[string]any
		if err == nil {
			err = yaml.Unmarshal([]byte("{x: "+text+"}"), &got)
		}
		if err != nil || got["x"] != want {
			t.Errorf("%q is written as %s and read as %#v: %v", want, text, got["x"], err)
		}
	}
}
