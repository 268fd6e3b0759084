package seeddemo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/seeddemo/dispatch"
)

const githubToken = "not-a-token-of-anybody"

// Install prepares both clusters for the demo's delivery: an empty namespace, then the claim and an older release,
// applied by hand, and orders in production only. It returns those orders.
func (w *World) Install(t *testing.T, orders int) string {
	t.Helper()
	for _, wait := range []string{"--wait=false", "--wait"} { // both at the same time
		for _, c := range w.pair.Clusters() {
			w.Kubectl(t, c, "", "delete", "namespace", w.Namespace, "--ignore-not-found", wait)
		}
	}
	w.Kubectl(t, w.pair.Cluster01, "", "delete", "-n", "portworx", "migrations", "--all")
	var manifests strings.Builder
	for _, file := range w.Before {
		manifests.WriteString(w.older(t, file) + "\n---\n")
	}
	for _, c := range w.pair.Clusters() {
		w.Kubectl(t, c, manifests.String(), "apply", "-f", "-")
	}
	for _, c := range w.pair.Clusters() {
		w.Kubectl(t, c, "", "rollout", "status", "-n", w.Namespace, "statefulset/mongo", "--timeout=5m")
		w.Kubectl(t, c, "", "rollout", "status", "-n", w.Namespace, "deployment/"+w.Web, "--timeout=5m")
	}
	w.Orders(t, w.pair.Cluster01)
	for i := range orders {
		w.Order(t, w.pair.Cluster01, fmt.Sprintf(`{"customer": "customer %d", "dish": "brisket", "price": %d}`, i, 10+i%7))
	}
	return w.Orders(t, w.pair.Cluster01)
}

// Checkout copies the demo's files into a new directory and puts a sluice.yaml beside them. The only thing that it may
// change is the tag of the database.
func (w *World) Checkout(t *testing.T, tag string) string {
	t.Helper()
	dir := t.TempDir()
	try(t, os.CopyFS(dir, os.DirFS(w.Dir)))
	database := filepath.Join(dir, w.Demo.Manifests, "mongodb.yaml")
	data, err := os.ReadFile(database)
	try(t, err)
	if changed := strings.Replace(string(data), "image: mongo:6.0.3", "image: mongo:"+tag, 1); changed != string(data) {
		try(t, os.Chmod(database, 0o600))
		try(t, os.WriteFile(database, []byte(changed), 0o600))
	}
	github := httptest.NewServer(dispatch.New(t.Context(),
		dispatch.Repository{Name: w.Repository, Token: githubToken, Database: database}))
	t.Cleanup(github.Close)
	try(t, os.WriteFile(filepath.Join(dir, "sluice.yaml"), w.config(github.URL), 0o600))
	return dir
}

func (w *World) config(github string) []byte {
	return fmt.Appendf(nil, `accounts:
  cluster01: {type: kubernetes, kubeconfig: %[1]q, context: cluster01, job: {image: %[5]q}}
  cluster02: {type: kubernetes, kubeconfig: %[1]q, context: cluster02, job: {image: %[5]q}}
metrics:
  prod-prometheus: {type: prometheus, url: %[2]q}
secrets:
  Github_token: {env: GITHUB_TOKEN}
webhooks:
  callbackAddress: "%[3]s:0"
  allow: [127.0.0.1]
  replace: {"https://api.github.com": %[4]q}
`, w.pair.Kubeconfig, w.Prometheus, w.Host, github, sluiceImage)
}

// Claimed returns the claim of the database in the cluster as people see it: its labels, its annotations without those
// of the cluster, and its spec.
func (w *World) Claimed(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	text := w.Kubectl(t, c, "", "get", "pvc", "-n", w.Namespace, "--field-selector=metadata.name="+w.Claim, "-o", "json")
	o := decode(t, text)[0]
	for key := range o.Metadata.Annotations {
		if strings.HasPrefix(key, "pv.kubernetes.io/") {
			delete(o.Metadata.Annotations, key)
		}
	}
	seen, err := json.MarshalIndent([]any{o.Metadata.Labels, o.Metadata.Annotations, o.Spec}, "", " ")
	try(t, err)
	return string(seen)
}

// service is the address of the shop in the cluster.
func (w *World) service(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	return "http://" + w.Kubectl(t, c, "", "get", "service", "-n", w.Namespace, w.Service, "-o",
		"jsonpath={.spec.clusterIP}")
}

// Order lets the shop in the cluster take an order.
func (w *World) Order(t *testing.T, c *cluster.Cluster, order string) {
	t.Helper()
	response, err := http.Post(w.service(t, c)+"/orders", "application/json", strings.NewReader(order))
	try(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	try(t, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s takes no order: %s: %s", c.Name, response.Status, body)
	}
}

// Orders returns what the shop in the cluster lists, once it answers: nothing in the manifests says when its database
// is ready.
func (w *World) Orders(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	address := w.service(t, c) + "/orders"
	var text bytes.Buffer
	w.Await(t, "the orders in "+c.Name, func() bool {
		response, err := http.Get(address)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		text.Reset()
		return err == nil && response.StatusCode == http.StatusOK && json.Indent(&text, body, "", " ") == nil
	})
	return text.String()
}
