package account_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
	account "github.com/sluice-cd/sluice/internal/kubernetes"
)

var pair *cluster.Pair

// atOnce is how many tests run at a time. Most of the time they wait for pods.
const atOnce = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(cluster.Main(m, func(ctx context.Context, p *cluster.Pair) error {
		pair = p
		return pair.Provide(ctx, image.Source{Dir: "../cmd/talker", Name: strings.TrimPrefix(talker, "docker.io/")})
	}))
}

// A world is a namespace of one test with the account under test, and the cluster as others see it.
type world struct {
	*testing.T
	*account.Account
	namespace string
	client    *kubernetes.Clientset
	others    dynamic.Interface
}

func newWorld(t *testing.T) *world { return newWorldOn(t, pair.Cluster01) }

func newWorldOn(t *testing.T, c *cluster.Cluster) *world {
	t.Helper()
	client, err := c.Client()
	must(t, err)
	config, err := c.Config()
	must(t, err)
	others, err := dynamic.NewForConfig(config)
	must(t, err)
	a, err := account.Open(t.Context(),
		account.Options{Name: c.Name, Kubeconfig: pair.Kubeconfig, Context: c.Name, UserAgent: "sluice-e2e-account"})
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	return &world{T: t, Account: a, namespace: c.Namespace(t, "account-"), client: client, others: others}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read makes an object of the test's namespace from YAML.
func (w *world) read(format string, args ...any) sluice.Object {
	w.Helper()
	var o sluice.Object
	must(w.T, yaml.Unmarshal(fmt.Appendf(nil, format, args...), &o))
	o.Set(w.namespace, "metadata", "namespace")
	return o
}

// apply applies and fails the test unless the outcome is as wanted.
func (w *world) apply(o sluice.Object, want sluice.Outcome) sluice.Object {
	w.Helper()
	now, outcome, err := w.Apply(w.Context(), o, false)
	must(w.T, err)
	if outcome != want {
		w.Fatalf("%s is %s, want %s", o.Ref(), outcome, want)
	}
	return now
}

// refuses applies and wants an error of the code that holds the words.
func (w *world) refuses(o sluice.Object, code sluice.Code, words ...string) {
	w.Helper()
	_, _, err := w.Apply(w.Context(), o, false)
	w.wants(err, code, words...)
}

func (w *world) wants(err error, code sluice.Code, words ...string) {
	w.Helper()
	if sluice.ErrorCode(err) != code {
		w.Fatalf("got %v (%s), want %s", err, sluice.ErrorCode(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+" "+sluice.ErrorHint(err), word) {
			w.Errorf("%q and its hint %q do not name %q", err, sluice.ErrorHint(err), word)
		}
	}
}

func (w *world) ref(apiVersion, kind, name string) sluice.Ref {
	return sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: w.namespace, Name: name}
}

func (w *world) web() sluice.Ref { return w.ref("apps/v1", "Deployment", "web") }

// deployment is one of pods that run and do nothing, with more in its spec and in that of its container.
func (w *world) deployment(replicas int, spec, container string) sluice.Object {
	return w.read(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  %s
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: %q, imagePullPolicy: Never%s}
`, replicas, spec, pause, container)
}

const pause = "docker.io/sluice-e2e/pause:1"

// other applies a merge patch in the name of somebody else.
func (w *world) other(manager, resource, name, patch string, subresources ...string) {
	w.Helper()
	gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource}
	if resource == "configmaps" {
		gvr.Group = ""
	}
	_, err := w.others.Resource(gvr).Namespace(w.namespace).Patch(w.Context(), name, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: manager}, subresources...)
	must(w.T, err)
}

// create creates the object in the name of somebody else.
func (w *world) create(manager, resource string, o sluice.Object) {
	w.Helper()
	gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource}
	if resource == "configmaps" {
		gvr.Group = ""
	}
	_, err := w.others.Resource(gvr).Namespace(w.namespace).Create(w.Context(),
		&unstructured.Unstructured{Object: o.Clone()}, metav1.CreateOptions{FieldManager: manager})
	if !apierrors.IsAlreadyExists(err) {
		must(w.T, err)
	}
}

// await watches the object until it is as wanted, and returns it.
func (w *world) await(ref sluice.Ref, limit time.Duration, wanted func(sluice.Object) bool) sluice.Object {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	var last sluice.Object
	for o, err := range w.Watch(ctx, ref.APIVersion, ref.Kind, ref.Namespace) {
		if err != nil {
			w.Fatalf("%s does not become as wanted: %v; it is %v", ref, err, last["status"])
		}
		if o.Text("metadata", "name") != ref.Name {
			continue
		}
		last = o
		if wanted(o) {
			break
		}
	}
	return last
}

// broken adds to the Deployment's container, or changes it.
func (w *world) broken(web sluice.Object, more string) {
	w.Helper()
	container := web.Field("spec", "template", "spec", "containers").([]any)[0].(map[string]any)
	var fields map[string]any
	must(w.T, yaml.Unmarshal([]byte("{"+strings.TrimPrefix(more, ", ")+"}"), &fields))
	for key, v := range fields {
		container[key] = v
	}
}

// lasting is a context for cleaning up after the test.
func (w *world) lasting() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	w.Cleanup(cancel)
	return ctx
}

// as returns the account as another user sees it, who has no rights.
func (w *world) as(user string) *account.Account {
	w.Helper()
	raw, err := clientcmd.LoadFromFile(pair.Kubeconfig)
	must(w.T, err)
	for _, info := range raw.AuthInfos {
		info.Impersonate = user
	}
	path := filepath.Join(w.TempDir(), "kubeconfig")
	must(w.T, clientcmd.WriteToFile(*raw, path))
	a, err := account.Open(w.Context(), account.Options{Name: user, Kubeconfig: path, Context: pair.Cluster01.Name})
	must(w.T, err)
	return a
}

var longRunning = regexp.MustCompile(
	`(?m)^apiserver_longrunning_requests\{.*resource="([^"]*)".*verb="WATCH".*\} (\d+)`)

// watches returns how many connections watch the resource.
func (w *world) watches(resource string) int {
	w.Helper()
	metrics, err := w.client.RESTClient().Get().AbsPath("/metrics").DoRaw(w.Context())
	must(w.T, err)
	sum := 0
	for _, m := range longRunning.FindAllStringSubmatch(string(metrics), -1) {
		if n, err := strconv.Atoi(m[2]); err == nil && m[1] == resource {
			sum += n
		}
	}
	return sum
}
