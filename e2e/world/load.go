package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
)

// A Load is the users of a Service: a pod in a namespace of its own, which sends requests at a constant rate.
type Load struct {
	world     *World
	namespace string
	began     time.Time
}

// Counts are the results of requests.
type Counts struct {
	Requests   int
	Unanswered int            // refused, reset, timed out
	Answers    map[string]int // by status and text, such as "200 v1 blue"
	Complaints []string       // the first unanswered requests
}

// rate is how many requests a Load sends in a second.
const rate = 40

// Load starts to send requests to the Service's port and returns when the first is answered.
func (w *World) Load(service string, port int, path string) *Load {
	w.Helper()
	l := &Load{world: w, namespace: w.Cluster.Namespace(w.T, "rollout-users-"), began: time.Now()}
	ip := w.Get("Service", service).Text("spec", "clusterIP")
	pod := fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: users}, spec: {terminationGracePeriodSeconds: 0, `+
		`containers: [{name: users, image: %s, imagePullPolicy: Never, args: [load, "http://%s:%d%s", "%d"]}]}}`,
		Image, ip, port, path, rate)
	namespace := w.Namespace
	w.Namespace = l.namespace
	w.Put(pod)
	w.Ready("Pod", "users")
	w.Namespace = namespace
	w.Await("the first answer of Service/"+service, func() bool { return len(l.Counts().Answers) > 0 })
	return l
}

// Counts returns the results of the requests so far.
func (l *Load) Counts() Counts {
	l.world.Helper()
	var c Counts
	data, err := l.world.proxy(l.namespace, "users", "/stats")
	if err != nil {
		return c
	}
	l.world.try(json.Unmarshal(data, &c))
	return c
}

// Shares waits until the version answers about half of the requests of three seconds, between 0.3 and 0.7 of them.
func (l *Load) Shares(version string) {
	l.world.Helper()
	l.world.Await("half of the answers to be of "+version, func() bool {
		before := l.Counts()
		time.Sleep(3 * time.Second)
		c := l.Counts().Since(before)
		share := float64(c.Of(version)) / float64(max(1, c.Requests))
		return share > 0.3 && share < 0.7
	})
}

// Becomes waits until the version answers all requests of a second. A node learns of the endpoints of a Service some
// time after the API server.
func (l *Load) Becomes(version string) {
	l.world.Helper()
	l.world.Await("only "+version+" to answer", func() bool {
		before := l.Counts()
		time.Sleep(time.Second)
		c := l.Counts().Since(before)
		return c.Requests > 0 && c.Of(version) == c.Requests
	})
}

// Stop ends the requests and returns their results, including those of open requests.
func (l *Load) Stop() Counts {
	l.world.Helper()
	c := l.Counts()
	if c.Requests == 0 {
		l.world.Fatal("the users do not say how their requests fared")
	}
	l.world.Logf("%s", c)
	return c
}

// Perfect ends the requests and fails the test unless all succeeded.
func (l *Load) Perfect() Counts {
	l.world.Helper()
	c := l.Stop()
	if failed := c.Failed(); failed > 0 {
		l.world.Errorf("%d of %d requests failed: %s", failed, c.Requests, c)
	}
	return c
}

// Failed returns how many requests did not succeed.
func (c Counts) Failed() int {
	failed := c.Unanswered
	for answer, n := range c.Answers {
		if !strings.HasPrefix(answer, "200 ") {
			failed += n
		}
	}
	return failed
}

// Of returns how many successful answers begin with the version.
func (c Counts) Of(version string) int {
	n := 0
	for answer, count := range c.Answers {
		if strings.HasPrefix(answer, "200 "+version) {
			n += count
		}
	}
	return n
}

// Since returns the counts since before.
func (c Counts) Since(before Counts) Counts {
	d := Counts{Requests: c.Requests - before.Requests, Unanswered: c.Unanswered - before.Unanswered,
		Answers: map[string]int{}}
	for answer, n := range c.Answers {
		if n > before.Answers[answer] {
			d.Answers[answer] = n - before.Answers[answer]
		}
	}
	return d
}

// String returns the number of requests for each kind of answer.
func (c Counts) String() string {
	text := fmt.Sprintf("%d requests, %d unanswered", c.Requests, c.Unanswered)
	for _, answer := range slices.Sorted(maps.Keys(c.Answers)) {
		text += fmt.Sprintf(", %d × %q", c.Answers[answer], answer)
	}
	return strings.Join(append([]string{text}, c.Complaints...), "\n  ")
}

// AskService calls a Service's port http through the API server and returns the answer, "" if it has no endpoints.
func (w *World) AskService(service, path string) string {
	w.Helper()
	client, err := w.rest()
	w.try(err)
	path = "/api/v1/namespaces/" + w.Namespace + "/services/" + service + ":http/proxy" + path
	data, err := client.Get().AbsPath(path).DoRaw(w.Context())
	if err != nil && !apierrors.IsServiceUnavailable(err) {
		w.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// proxy calls a pod's port 8080 through the API server.
func (w *World) proxy(namespace, pod, path string) ([]byte, error) {
	client, err := w.rest()
	if err != nil {
		return nil, err
	}
	path = "/api/v1/namespaces/" + namespace + "/pods/" + pod + ":8080/proxy" + path
	return client.Get().AbsPath(path).DoRaw(w.Context())
}

func (w *World) rest() (rest.Interface, error) {
	c := rest.CopyConfig(w.config)
	c.GroupVersion, c.APIPath, c.NegotiatedSerializer = &schema.GroupVersion{Version: "v1"}, "/api",
		serializer.NewCodecFactory(scheme.Scheme)
	return rest.RESTClientFor(c)
}

// PodsOf returns the pods of a Deployment, or of a canary by its own name, that are not being deleted.
func (w *World) PodsOf(deployment string) []sluice.Object {
	w.Helper()
	sets := map[string]bool{}
	for _, s := range w.List("ReplicaSet", "") {
		if owner(s) == "Deployment/"+deployment {
			sets["ReplicaSet/"+s.Text("metadata", "name")] = true
		}
	}
	var all []sluice.Object
	for _, p := range w.List("Pod", "") {
		if sets[owner(p)] && p.Text("metadata", "deletionTimestamp") == "" {
			all = append(all, p)
		}
	}
	return all
}

// owner returns the object's controller as Kind/name, "" if it has none.
func owner(o sluice.Object) string {
	owners, _ := o.Field("metadata", "ownerReferences").([]any)
	for _, r := range owners {
		if r, ok := r.(map[string]any); ok && r["controller"] == true {
			return fmt.Sprintf("%s/%s", r["kind"], r["name"])
		}
	}
	return ""
}
