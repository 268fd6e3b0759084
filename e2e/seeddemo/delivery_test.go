package seeddemo_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/seeddemo"
	"github.com/sluice-cd/sluice/e2e/seeddemo/stork"
)

const approval = "production/canary/2"

// added are the objects that only a delivery brings, by the namespace of the demo.
var added = map[string][]string{
	"shop": {
		"cluster01 migration.stork.libopenstorage.org portworx/migrate01",
		"cluster01 deployment.apps shop/mongodb-exporter",
		"cluster01 secret shop/mongodb-exporter",
		"cluster01 service shop/mongodb-exporter",
	},
	"pxbbq": {
		"cluster01 migration.stork.libopenstorage.org portworx/migrate01",
		"cluster01 deployment.apps pxbbq/pxbbq-exporter-prometheus-mongodb-exporter",
		"cluster01 secret pxbbq/pxbbq-exporter-prometheus-mongodb-exporter",
		"cluster01 service pxbbq/pxbbq-exporter-prometheus-mongodb-exporter",
		"cluster01 serviceaccount pxbbq/pxbbq-exporter-prometheus-mongodb-exporter",
	},
}

func testDelivery(t *testing.T, w *seeddemo.World) {
	t.Run("good", func(t *testing.T) { testGood(t, w) })
	t.Run("integration test fails", func(t *testing.T) { testIntegrationFails(t, w) })
	t.Run("migration fails", func(t *testing.T) { testMigrationFails(t, w) })
}

// nobody decides in tests where no step should wait for a person.
func nobody(t *testing.T) func(string) {
	return func(step string) { t.Errorf("%s waits for a person", step) }
}

func testGood(t *testing.T, w *seeddemo.World) {
	w.Migrations(t, stork.Good)
	orders := w.Install(t, 20)
	dir := w.Checkout(t, "6.0.3")
	if diff := cmp.Diff(w.Files(t, w.Dir), w.Files(t, dir)); diff != "" {
		t.Fatalf("the demo's files are changed:\n%s", diff)
	}
	before := w.Everything(t)

	var asked []string
	r := w.Run(t, dir, func(step string) {
		asked = append(asked, step)
		canary(t, w)
		w.Command(t, dir, "approve", "--reason", "the graphs look good")
	})
	want := map[string]string{w.Migration: "succeeded", "staging": "succeeded", "production": "succeeded"}
	if diff := cmp.Diff(want, r.Targets); diff != "" || r.Status != 0 {
		t.Fatalf("status %d, targets (-want +got):\n%s", r.Status, diff)
	}
	if !slices.Equal(asked, []string{approval}) {
		t.Errorf("asked for a decision at %v", asked)
	}
	if loose := w.Namespace == "pxbbq"; loose != strings.Contains(r.Warnings, "[stage-not-success]") {
		t.Errorf("the wait of the original alone passes a failed migration, the warnings are:\n%s", r.Warnings)
	}
	for _, c := range pair.Clusters() {
		if image := running(t, w, c, w.Demo.Database); image != "mongo:6.0.3" {
			t.Errorf("%s runs %s", c.Name, image)
		}
		if image := running(t, w, c, "app="+w.Web); image != w.Image {
			t.Errorf("%s runs %s", c.Name, image)
		}
		if got := w.Orders(t, c); got != orders {
			t.Errorf("the orders in %s are not those that production had (-want +got):\n%s", c.Name, cmp.Diff(orders, got))
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(before, added[w.Namespace]...))), w.Everything(t)); diff != "" {
		t.Errorf("the namespace has more than the files declare (-want +got):\n%s", diff)
	}
}

// canary checks the metrics while a step waits for a person: the canary's pods can answer the demo's own query.
func canary(t *testing.T, w *seeddemo.World) {
	t.Helper()
	name := w.Kubectl(t, pair.Cluster01, "", "get", "deployment", "-n", w.Namespace, w.Web+"-canary",
		"-o", `jsonpath={.spec.template.metadata.annotations.deploy\.armory\.io/replica-set-name}`)
	w.Kubectl(t, pair.Cluster01, "", "get", "replicaset", "-n", w.Namespace, name)
	query := `avg_over_time(container_cpu_system_seconds_total{job="kubelet"}[10s]) * on (pod) group_left (annotation_app)
		sum(kube_pod_annotations{job="kube-state-metrics",annotation_deploy_armory_io_replica_set_name="` + name + `"}) ` +
		`by (annotation_app, pod)`
	w.Await(t, "metrics of the canary "+name, func() bool { return len(w.Query(t, query)) > 0 })
}

func testIntegrationFails(t *testing.T, w *seeddemo.World) {
	w.Migrations(t, stork.Good)
	orders := w.Install(t, 3)
	dir := w.Checkout(t, "6.0.2")
	before := w.Objects(t, pair.Cluster01, w.Namespace)
	r := w.Run(t, dir, nobody(t))
	want := map[string]string{w.Migration: "succeeded", "staging": "failed", "production": "skipped"}
	if diff := cmp.Diff(want, r.Targets); diff != "" || r.Status != 1 {
		t.Errorf("status %d, targets (-want +got):\n%s", r.Status, diff)
	}
	if diff := cmp.Diff(before, w.Objects(t, pair.Cluster01, w.Namespace)); diff != "" {
		t.Errorf("production is not as it was (-want +got):\n%s", diff)
	}
	if got := w.Orders(t, pair.Cluster01); got != orders {
		t.Errorf("production's orders changed: %s", cmp.Diff(orders, got))
	}
}

func testMigrationFails(t *testing.T, w *seeddemo.World) {
	w.Install(t, 3)
	w.Migrations(t, stork.VolumeFails)
	dir := w.Checkout(t, "6.0.3")
	before := w.Everything(t)
	objects := w.Objects(t, pair.Cluster01, w.Namespace)
	r := w.Run(t, dir, nobody(t))
	want := map[string]string{w.Migration: "rolledBack", "staging": "skipped", "production": "skipped"}
	if diff := cmp.Diff(want, r.Targets); diff != "" || r.Status != 1 {
		t.Errorf("status %d, targets (-want +got):\n%s", r.Status, diff)
	}
	message := r.Failures[w.Migration+"/apply"]
	if !strings.Contains(message, "it ended as Failed: "+w.Claim+" is Failed") {
		t.Errorf("the failure of the migration is reported as %q", message)
	}
	if diff := cmp.Diff(before, w.Everything(t)); diff != "" {
		t.Errorf("something is left (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(objects, w.Objects(t, pair.Cluster01, w.Namespace)); diff != "" {
		t.Errorf("production is not as it was (-want +got):\n%s", diff)
	}
}

// running names the images of the running pods with the label that are not being deleted, each once.
func running(t *testing.T, w *seeddemo.World, c *cluster.Cluster, label string) string {
	t.Helper()
	images := `{{range .items}}{{if not .metadata.deletionTimestamp}}` +
		`{{range .spec.containers}}{{.image}} {{end}}{{end}}{{end}}`
	all := strings.Fields(w.Kubectl(t, c, "", "get", "pod", "-n", w.Namespace, "-l", label,
		"--field-selector=status.phase=Running", "-o", "go-template="+images))
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}
