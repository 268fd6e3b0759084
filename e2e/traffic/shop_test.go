package traffic_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes"
)

const annotation = "sluice-cd.github.io/traffic"

// A shop is a namespace with the Deployment web, its canary and its Service.
type shop struct {
	*testing.T
	account   *kubernetes.Account
	client    dynamic.Interface
	namespace string
}

func resource(kind string) schema.GroupVersionResource {
	return map[string]schema.GroupVersionResource{
		"Namespace":       {Version: "v1", Resource: "namespaces"},
		"Service":         {Version: "v1", Resource: "services"},
		"Deployment":      {Group: "apps", Version: "v1", Resource: "deployments"},
		"HTTPRoute":       {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
		"GRPCRoute":       {Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"},
		"VirtualService":  {Group: "networking.istio.io", Version: "v1", Resource: "virtualservices"},
		"DestinationRule": {Group: "networking.istio.io", Version: "v1", Resource: "destinationrules"},
		"TrafficSplit":    {Group: "split.smi-spec.io", Version: "v1alpha4", Resource: "trafficsplits"},
	}[kind]
}

func newShop(t *testing.T) *shop {
	t.Helper()
	t.Parallel()
	c := pair.Cluster01
	config, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{T: t}
	if s.client, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	s.account, err = kubernetes.Open(t.Context(), kubernetes.Options{Name: "east", Kubeconfig: pair.Kubeconfig,
		Context: c.Name, UserAgent: "sluice-e2e-traffic"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.client.Resource(resource("Namespace")).Create(t.Context(),
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "traffic-"}}},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.namespace = n.GetName()
	t.Cleanup(func() {
		if err := s.client.Resource(resource("Namespace")).Delete(context.Background(), s.namespace,
			metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	s.put(service("web"))
	s.put(deployment("web", 2, "", "1"))
	s.ready("web")
	return s
}

func service(name string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: %s}, `+
		`spec: {selector: {app: web}, ports: [{name: http, port: 8080}]}}`, name)
}

func deployment(name string, replicas int, track, version string) string {
	labels := "app: web"
	if track != "" {
		labels += ", " + sluice.TrackLabel + ": " + track
	}
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  replicas: %d
  selector: {matchLabels: {%s}}
  template:
    metadata: {labels: {%s}, annotations: {version: %q}}
    spec:
      terminationGracePeriodSeconds: 0
      volumes: [{name: data, emptyDir: {}}]
      containers:
        - name: echo
          image: %s
          imagePullPolicy: Never
          args: [serve]
          volumeMounts: [{name: data, mountPath: /data}]
          readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
`, name, replicas, labels, labels, version, echoImage)
}

func (s *shop) of(kind string) dynamic.ResourceInterface {
	return s.client.Resource(resource(kind)).Namespace(s.namespace)
}

// put creates the object or replaces its spec.
func (s *shop) put(text string) sluice.Object {
	s.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		s.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: o}
	made, err := s.of(u.GetKind()).Apply(s.Context(), u.GetName(), u,
		metav1.ApplyOptions{FieldManager: "owner", Force: true})
	if err != nil {
		s.Fatal(err)
	}
	return made.Object
}

func (s *shop) get(kind, name string) sluice.Object {
	s.Helper()
	u, err := s.of(kind).Get(s.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return u.Object
}

// ready waits until the Deployment has only pods of its current version and all are ready.
func (s *shop) ready(name string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	// A watch may begin with a state from before the last write.
	wanted := s.get("Deployment", name).Number(0, "metadata", "generation")
	w, err := s.of("Deployment").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		s.Fatal(err)
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		u, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			break
		}
		o := sluice.Object(u.Object)
		want := o.Number(1, "spec", "replicas")
		if o.Number(0, "metadata", "generation") >= wanted &&
			o.Number(0, "status", "observedGeneration") >= o.Number(0, "metadata", "generation") &&
			o.Number(0, "status", "updatedReplicas") == want &&
			o.Number(0, "status", "readyReplicas") == want && o.Number(0, "status", "replicas") == want {
			return
		}
	}
	s.Fatalf("Deployment/%s does not get ready", name)
}

// withCanary creates the canary beside the stable pods.
func (s *shop) withCanary(replicas int) {
	s.Helper()
	s.put(deployment("web-canary", replicas, sluice.TrackCanary, "2"))
	s.ready("web-canary")
}

func (s *shop) division(percent int, by ...sluice.Traffic) sluice.Division {
	return sluice.Division{Namespace: s.namespace, Service: "web", Declared: true, Stable: "web", Canary: "web-canary",
		Percent: percent, Traffic: by}
}

func (s *shop) shift(percent int, by ...sluice.Traffic) {
	s.Helper()
	if err := s.account.Shift(s.Context(), s.division(percent, by...)); err != nil {
		s.Fatalf("shift to %d %%: %v", percent, err)
	}
}

func (s *shop) release(by ...sluice.Traffic) {
	s.Helper()
	if err := s.account.Release(s.Context(), s.division(0, by...)); err != nil {
		s.Fatalf("release: %v", err)
	}
}

// unchanged fails if the object's spec has changed or anything of the division is left.
func (s *shop) unchanged(was sluice.Object) {
	s.Helper()
	now := s.get(was.Text("kind"), was.Text("metadata", "name"))
	if diff := cmp.Diff(was["spec"], now["spec"]); diff != "" {
		s.Errorf("%s is not as it was (-was +now):\n%s", was.Ref(), diff)
	}
	if left := now.Text("metadata", "annotations", annotation); left != "" {
		s.Errorf("%s still says %s", was.Ref(), left)
	}
}

// unwritten fails if the call writes the object.
func (s *shop) unwritten(kind, name string, call func()) {
	s.Helper()
	before := s.get(kind, name).Text("metadata", "resourceVersion")
	call()
	if after := s.get(kind, name).Text("metadata", "resourceVersion"); after != before {
		s.Errorf("%s/%s is written again although nothing changes", kind, name)
	}
}

// side returns the Deployment of a pod.
func side(pod string) string {
	if strings.HasPrefix(pod, "web-canary-") {
		return "canary"
	}
	return "stable"
}
