package seeddemo

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"k8s.io/client-go/dynamic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/seeddemo/metrics"
	"github.com/sluice-cd/sluice/e2e/seeddemo/stork"
)

//go:embed world.yaml
var worldManifest string

// A World is the surroundings of the demo, in both clusters and beside them.
type World struct {
	// Demo holds the files that are delivered.
	Demo
	// Sluice is the program.
	Sluice string
	// Prometheus is the address of its API.
	Prometheus string
	// Host is the address at which pods reach this machine.
	Host string

	pair  *cluster.Pair
	state string // for everything that is built once
}

// Setup builds the world for our own demo and removes it when the test ends. It skips the test if the clusters belong
// to a person, because the test cannot choose what is loaded and mounted there.
func Setup(t *testing.T, pair *cluster.Pair) *World {
	t.Helper()
	w := &World{pair: pair, Demo: Own(), state: filepath.Dir(pair.Kubeconfig)}
	if !pair.Owned {
		t.Skip("the clusters are not ours")
	}
	began := time.Now()
	defer func() { t.Logf("the world is there after %s", time.Since(began).Round(time.Second)) }()
	w.Sluice = filepath.Join(w.state, "bin", "sluice")
	try(t, build(t.Context(), filepath.Join(repository(), "cmd", "sluice"), w.Sluice))
	try(t, loadImages(t.Context(), pair, w.state))
	w.Host = w.findHost(t)
	var texts []string
	for _, c := range pair.Clusters() {
		text := w.manifest(t, c)
		w.remove(t, c, text) // the leftovers of a killed test
		texts = append(texts, text)
	}
	for i, c := range pair.Clusters() {
		w.populate(t, c, texts[i])
	}
	w.connect(t)
	w.Prometheus = w.watch(t)
	return w
}

// With returns the world for another demo.
func (w *World) With(d Demo) *World {
	other := *w
	other.Demo = d
	return &other
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// findHost returns the address of this machine on the clusters' network.
func (w *World) findHost(t *testing.T) string {
	t.Helper()
	config, err := w.pair.Cluster01.Config()
	try(t, err)
	server, err := url.Parse(config.Host)
	try(t, err)
	conn, err := net.Dial("udp", server.Host)
	try(t, err)
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	try(t, err)
	return host
}

// storage is the directory of the cluster's volumes of class px-db.
func (w *World) storage(c *cluster.Cluster) string {
	return filepath.Join(filepath.Dir(c.Volumes()), "portworx")
}

// manifest returns the world's objects in the cluster: storage, the receiver of webhooks, and the admission of pods.
func (w *World) manifest(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	cert, key, err := certificate("admission.armory-rna.svc")
	try(t, err)
	values := map[string]string{
		"Image": worldImage, "Storage": w.storage(c), "Destination": "", "Tick": "500ms",
		"Programs":    filepath.Join(w.state, "bin"),
		"Certificate": base64.StdEncoding.EncodeToString(cert), "Key": base64.StdEncoding.EncodeToString(key),
	}
	if c == w.pair.Cluster01 {
		values["Destination"] = w.storage(w.pair.Cluster02)
	}
	var text bytes.Buffer
	try(t, template.Must(template.New("world").Parse(worldManifest)).Execute(&text, values))
	return text.String()
}

// populate applies the manifest and waits until it runs.
func (w *World) populate(t *testing.T, c *cluster.Cluster, manifest string) {
	t.Helper()
	t.Cleanup(func() { w.remove(t, c, manifest) })
	w.Kubectl(t, c, manifest, "apply", "-f", "-")
	for _, d := range []string{"portworx/portworx", "armory-rna/cmd-hook", "armory-rna/admission"} {
		namespace, name, _ := strings.Cut(d, "/")
		w.Kubectl(t, c, "", "rollout", "status", "-n", namespace, "deployment/"+name, "--timeout=5m")
	}
}

// remove deletes what populate, the demo and Stork have created.
func (w *World) remove(t *testing.T, c *cluster.Cluster, manifest string) {
	t.Helper()
	w.kubectl(t, c, "", append([]string{"delete", "namespace", "--ignore-not-found"}, applications...)...)
	registered := slices.DeleteFunc(strings.Fields(w.kubectl(t, c, "", "get", "crd", "-o", "name")),
		func(crd string) bool {
			return !strings.HasSuffix(crd, "."+stork.Migrations.Group)
		})
	if len(registered) > 0 {
		w.kubectl(t, c, "", "delete", "migrations,clusterpairs", "-n", "portworx", "--all", "--ignore-not-found")
	}
	w.kubectl(t, c, manifest, "delete", "--ignore-not-found", "-f", "-")
	for _, volume := range decode(t, w.kubectl(t, c, "", "get", "persistentvolumes", "-o", "json")) {
		if volume.Metadata.Annotations["pv.kubernetes.io/provisioned-by"] == stork.Provisioner {
			w.kubectl(t, c, "", "delete", "persistentvolume", volume.Metadata.Name, "--ignore-not-found")
		}
	}
	if len(registered) > 0 {
		w.kubectl(t, c, "", append([]string{"delete"}, registered...)...)
	}
	if err := os.RemoveAll(w.storage(c)); err != nil {
		t.Error(err)
	}
}

// connect creates the ClusterPair from production's cluster to staging's.
func (w *World) connect(t *testing.T) {
	t.Helper()
	try(t, stork.Register(t.Context(), w.dynamic(t, w.pair.Cluster01)))
	to, err := w.pair.Cluster02.Config()
	try(t, err)
	_, err = w.dynamic(t, w.pair.Cluster01).Resource(stork.ClusterPairs).Namespace("portworx").
		Create(t.Context(), stork.NewPair("portworx", "stage", to, stork.Good), metav1.CreateOptions{})
	try(t, err)
	w.Kubectl(t, w.pair.Cluster01, "", "wait", "-n", "portworx", "clusterpair/stage",
		"--for=jsonpath={.status.storageStatus}=Ready", "--timeout=1m")
}

// Migrations sets the mode of all migrations that begin from now on.
func (w *World) Migrations(t *testing.T, mode stork.Mode) {
	t.Helper()
	w.Kubectl(t, w.pair.Cluster01, "", "annotate", "--overwrite", "-n", "portworx", "clusterpair/stage",
		stork.ModeAnnotation+"="+string(mode))
}

func (w *World) dynamic(t *testing.T, c *cluster.Cluster) dynamic.Interface {
	t.Helper()
	config, err := c.Config()
	try(t, err)
	client, err := dynamic.NewForConfig(config)
	try(t, err)
	return client
}

// watch starts Prometheus for the metrics of production's cluster and returns its address.
func (w *World) watch(t *testing.T) string {
	t.Helper()
	client, err := w.pair.Cluster01.Client()
	try(t, err)
	collector := httptest.NewServer(metrics.New(client))
	t.Cleanup(collector.Close)
	targets, err := metrics.Targets(collector.Listener.Addr().String())
	try(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "targets.json")
	try(t, os.WriteFile(file, targets, 0o600))

	program := filepath.Join(w.state, "bin", "monitor")
	try(t, build(t.Context(), filepath.Join(repository(), "examples", "monitor"), program))
	address := freeAddress(t)
	cmd := exec.Command(program, "--listen", address, "--targets", file, "--data", filepath.Join(dir, "samples"))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	try(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have already ended
		_ = cmd.Wait()
	})
	w.Await(t, "Prometheus", func() bool {
		response, err := http.Get("http://" + address + "/-/ready")
		return err == nil && response.Body.Close() == nil
	})
	return "http://" + address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	try(t, err)
	defer l.Close()
	return l.Addr().String()
}

// Await polls for at most a minute, because not everything here can be watched.
func (w *World) Await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !there(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Query asks Prometheus and returns the values of the result's series.
func (w *World) Query(t *testing.T, query string) []string {
	t.Helper()
	response, err := http.Get(w.Prometheus + "/api/v1/query?query=" + url.QueryEscape(query))
	try(t, err)
	defer response.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	try(t, json.NewDecoder(response.Body).Decode(&answer))
	var values []string
	for _, series := range answer.Data.Result {
		value, _ := series.Value[1].(string)
		values = append(values, value)
	}
	return values
}
