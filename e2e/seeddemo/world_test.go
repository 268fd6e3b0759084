package seeddemo_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/seeddemo"
	"github.com/sluice-cd/sluice/e2e/seeddemo/stork"
)

// testReceiver calls each cluster's cmd-hook through the API server; it runs kubectl and calls back to this machine.
func testReceiver(t *testing.T, w *seeddemo.World) {
	answers := make(chan string, 1)
	listener, err := net.Listen("tcp", net.JoinHostPort(w.Host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	callback := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Success   bool
			MdMessage string
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		answers <- fmt.Sprint(body.Success, " ", body.MdMessage)
	}))
	callback.Listener.Close()
	callback.Listener = listener
	callback.Start()
	defer callback.Close()
	for _, c := range pair.Clusters() {
		client, err := c.Client()
		if err != nil {
			t.Fatal(err)
		}
		for arg, want := range map[string]string{
			"get namespace armory-rna -o name":                                  "true namespace/armory-rna",
			"scale -n=shop statefulset nosuch --replicas=0":                     `false error: no objects passed to scale`,
			"delete -n=portworx service/nosuch --ignore-not-found=true -o name": "true ",
			"wait -n=portworx service/nosuch --for=jsonpath={.status.stage}=Final --timeout=1s": "" +
				"false Error from server (NotFound)",
		} {
			body := fmt.Sprintf("{\"cmd\": \"kubectl\", \"arg\": %q, \"callbackURL\": %q}\n #and more", arg, callback.URL)
			err := client.CoreV1().RESTClient().Post().
				AbsPath("/api/v1/namespaces/armory-rna/services/cmd-hook:8081/proxy/cmd").
				Body([]byte(body)).Do(t.Context()).Error()
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			if got := <-answers; !strings.HasPrefix(got, want) {
				t.Errorf("%s: kubectl %s: %q, want %q", c.Name, arg, got, want)
			}
		}
	}
}

// testMigrations runs migrations in each mode, after the storage has something to migrate.
func testMigrations(t *testing.T, w *seeddemo.World) {
	orders := w.Install(t, 5)
	production, staging := pair.Cluster01, pair.Cluster02
	migrate := w.Manifest(t, "migrate.yaml")
	status := func() string {
		return w.Kubectl(t, production, "", "get", "-n", "portworx", "migration/migrate01", "-o",
			"jsonpath={.status.stage}/{.status.status}")
	}
	begin := func(mode stork.Mode, until string) {
		t.Helper()
		w.Migrations(t, mode)
		w.Kubectl(t, production, "", "delete", "-n", "portworx", "migration/migrate01", "--ignore-not-found")
		w.Kubectl(t, production, migrate, "apply", "-f", "-")
		w.Kubectl(t, production, "", "wait", "-n", "portworx", "migration/migrate01", "--for=jsonpath={.status.stage}="+until,
			"--timeout=2m")
	}

	begin(stork.Good, "Final") // a pod uses the claim
	if got := status(); got != "Final/PartialSuccess" {
		t.Errorf("into a claim in use: %s", got)
	}
	if ending := w.Kubectl(t, staging, "", "get", "-n", w.Namespace, "pvc/"+w.Claim, "-o",
		"jsonpath={.metadata.deletionTimestamp}"); ending == "" {
		t.Error("the claim in use is not Terminating")
	}
	w.Kubectl(t, staging, "", "scale", "-n", w.Namespace, "statefulset/mongo", "--replicas=0")
	w.Kubectl(t, staging, "", "wait", "-n", w.Namespace, "--for=delete", "pod/mongo-0", "--timeout=2m")

	begin(stork.VolumeFails, "Final")
	if got := status(); got != "Final/Failed" {
		t.Errorf("a volume that fails: %s", got)
	}
	begin(stork.NotReady, "Volumes")
	if got := status(); got != "Volumes/Pending" {
		t.Errorf("a pair without storage: %s", got)
	}
	begin(stork.ClaimFails, "Final")
	if got := status(); got != "Final/PartialSuccess" {
		t.Errorf("a claim that fails: %s", got)
	}

	begin(stork.Good, "Final")
	if got := status(); got != "Final/Successful" {
		t.Fatalf("a good migration: %s", got)
	}
	w.Kubectl(t, staging, "", "scale", "-n", w.Namespace, "statefulset/mongo", "--replicas=1")
	w.Kubectl(t, staging, "", "rollout", "status", "-n", w.Namespace, "statefulset/mongo", "--timeout=1m")
	if got := w.Orders(t, staging); got != orders {
		t.Errorf("staging has other orders than production: %s", got)
	}
	w.Kubectl(t, production, "", "delete", "-n", "portworx", "migration/migrate01")
}

// testMetrics queries every metric that the demo's queries join.
func testMetrics(t *testing.T, w *seeddemo.World) {
	web := w.Kubectl(t, pair.Cluster01, "", "get", "pod", "-n", w.Namespace, "-l", "app="+w.Web, "-o",
		"jsonpath={.items[0].metadata.name}")
	for _, query := range []string{
		`kube_pod_annotations{job="kube-state-metrics",pod="` + web + `"}`,
		`container_cpu_system_seconds_total{job="kubelet",pod="` + web + `"}`,
		`container_cpu_system_seconds_total{job="kubelet"} * on (pod) group_left (annotation_app) ` +
			`sum(kube_pod_annotations{job="kube-state-metrics",pod="` + web + `"}) by (annotation_app, pod)`,
	} {
		w.Await(t, "an answer to "+query, func() bool { return len(w.Query(t, query)) > 0 })
	}
}
