package host_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
	account "github.com/sluice-cd/sluice/internal/kubernetes"
)

const talker = "docker.io/sluice-e2e/talker:1"

var pair *cluster.Pair

func TestMain(m *testing.M) {
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
	ctx       context.Context
}

// patience bounds a whole test.
const patience = 3 * time.Minute

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	client, err := pair.Cluster01.Client()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{T: t, Account: open(t, pair.Kubeconfig, pair.Cluster01.Name), client: client, ctx: ctx}
	w.namespace = pair.Cluster01.Namespace(t, "host-")
	return w
}

func open(t *testing.T, kubeconfig, kubeContext string) *account.Account {
	t.Helper()
	a, err := account.Open(t.Context(),
		account.Options{Name: "east", Kubeconfig: kubeconfig, Context: kubeContext, UserAgent: "sluice-e2e-host"})
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// apply applies objects of the test's namespace, given as YAML.
func (w *world) apply(text string) {
	w.Helper()
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var o sluice.Object
		must(w.T, yaml.Unmarshal([]byte(doc), &o))
		o.Set(w.namespace, "metadata", "namespace")
		_, _, err := w.Apply(w.ctx, o, false)
		must(w.T, err)
	}
}

// serving is a Deployment of that many pods that serve, and its Service; the pods' port is known by name only.
func (w *world) serving(replicas int) {
	w.Helper()
	w.apply(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: %q
        imagePullPolicy: Never
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, failureThreshold: 1,
          timeoutSeconds: 10} # a busy node answers late
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: web, port: 80, targetPort: http}]
`, replicas, talker))
	w.await(func(pods []sluice.Pod) bool { return ready(pods) == replicas })
}

func ready(pods []sluice.Pod) int {
	n := 0
	for _, p := range pods {
		if p.Ready {
			n++
		}
	}
	return n
}

// await returns the pods of the namespace once they are as wanted. It looks whenever one of them changes, and again
// soon after, because the account may hear of the change later than the test.
func (w *world) await(wanted func([]sluice.Pod) bool) []sluice.Pod {
	w.Helper()
	watch, err := w.client.CoreV1().Pods(w.namespace).Watch(w.ctx, metav1.ListOptions{})
	must(w.T, err)
	defer watch.Stop()
	for {
		pods, err := w.Pods(w.ctx, w.namespace)
		must(w.T, err)
		if wanted(pods) {
			return pods
		}
		select {
		case <-watch.ResultChan():
		case <-time.After(100 * time.Millisecond):
		case <-w.ctx.Done():
			w.Fatalf("the pods never became as wanted: %+v", pods)
		}
	}
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
