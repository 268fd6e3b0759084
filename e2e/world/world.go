package world

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// A World is one test's part of a cluster. Its methods end the test if they fail.
type World struct {
	*testing.T
	Cluster   *cluster.Cluster
	Namespace string   // created by New, deleted after the test
	Dir       string   // sluice runs here
	Env       []string // such as A=b: what sluice has in its environment besides that of the test

	config *rest.Config
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
	lists  discovery.DiscoveryInterface
	values map[string]string // the values that Write fills in
}

// New returns a world in the first cluster. Tests that use nothing else may run in parallel.
func New(t *testing.T) *World {
	t.Helper()
	return In(t, pair.Cluster01)
}

// In returns a world in the cluster. Its directory has a sluice.yaml with the accounts cluster01 and cluster02.
func In(t *testing.T, c *cluster.Cluster) *World {
	t.Helper()
	w := &World{T: t, Cluster: c, Dir: t.TempDir(), values: map[string]string{"Image": Image}}
	config, err := c.Config()
	w.try(err)
	config.WarningHandler = rest.NoWarnings{}
	w.config = config
	w.client, err = dynamic.NewForConfig(config)
	w.try(err)
	w.lists, err = discovery.NewDiscoveryClientForConfig(config)
	w.try(err)
	w.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(w.lists))
	w.Namespace = c.Namespace(t, "rollout-")
	w.values["Namespace"] = w.Namespace
	w.configure("")
	t.Cleanup(w.inspect)
	return w
}

// configure writes sluice.yaml and adds more to it.
func (w *World) configure(more string) {
	w.Helper()
	w.Write("sluice.yaml", fmt.Sprintf(`
accounts:
  cluster01: {type: kubernetes, kubeconfig: %[1]s, context: cluster01, job: {image: %[2]q}}
  cluster02: {type: kubernetes, kubeconfig: %[1]s, context: cluster02, job: {image: %[2]q}}
%[3]s`, pair.Kubeconfig, Sluice().Name, more))
}

// Configure adds to sluice.yaml.
func (w *World) Configure(more string) {
	w.Helper()
	w.configure(more)
}

// Value sets the value of {{.name}} for later calls of Write. Namespace and Image are set already.
func (w *World) Value(name, value string) { w.values[name] = value }

// Write writes a file into Dir and replaces {{.Namespace}} and {{.Image}} in it. Write templates for Sluice itself as
// [[armory.deploymentId]].
func (w *World) Write(name, text string) {
	w.Helper()
	path := filepath.Join(w.Dir, name)
	w.try(os.MkdirAll(filepath.Dir(path), 0o755))
	w.try(os.WriteFile(path, []byte(w.fill(text)), 0o600))
}

func (w *World) fill(text string) string {
	w.Helper()
	t, err := template.New("").Option("missingkey=error").Parse(text)
	w.try(err)
	var b bytes.Buffer
	w.try(t.Execute(&b, w.values))
	return strings.NewReplacer("[[", "{{", "]]", "}}").Replace(b.String())
}

// Await polls for at most two minutes, because not everything here can be watched.
func (w *World) Await(what string, there func() bool) {
	w.Helper()
	for end := time.Now().Add(2 * time.Minute); !there(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited in vain for %s", what)
		}
	}
}

func (w *World) try(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
