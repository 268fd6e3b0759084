package sluice

import (
	"context"
	"iter"
	"net/http"
	"strings"
)

// An Object is a Kubernetes object as decoded from JSON: maps, slices, strings, float64 or int64, bools, nil.
type Object map[string]any

// A Ref names an object. Namespace is "" for what has none.
type Ref struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String returns "Kind/name".
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// Same reports whether both name one object, whatever the version of its kind.
func (r Ref) Same(other Ref) bool {
	return r.Kind == other.Kind && r.Namespace == other.Namespace && r.Name == other.Name
}

// Ref returns the object's name.
func (o Object) Ref() Ref {
	return Ref{APIVersion: o.Text("apiVersion"), Kind: o.Text("kind"), Namespace: o.Text("metadata", "namespace"), Name: o.Text("metadata", "name")}
}

// Field returns what lies at the path, nil where anything on the way is absent.
func (o Object) Field(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// Text returns the string at the path, "" where there is none.
func (o Object) Text(path ...string) string {
	s, _ := o.Field(path...).(string)
	return s
}

// Number returns the integer at the path, or absent where there is none.
func (o Object) Number(absent int, path ...string) int {
	switch n := o.Field(path...).(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	case int:
		return n
	}
	return absent
}

// Set puts the value at the path, making maps on the way.
func (o Object) Set(value any, path ...string) {
	m := map[string]any(o)
	for _, key := range path[:len(path)-1] {
		next, ok := m[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[key] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
}

// Clone returns a deep copy.
func (o Object) Clone() Object {
	return Object(clone(map[string]any(o)).(map[string]any))
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = clone(e)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			s[i] = clone(e)
		}
		return s
	}
	return v
}

// An Outcome says what a write did.
type Outcome string

// The outcomes of a write; a preview uses the same words.
const (
	Created    Outcome = "created"
	Configured Outcome = "configured"
	Unchanged  Outcome = "unchanged"
	Deleted    Outcome = "deleted"
)

// A ClusterReader reads the objects of one account.
//
// Every method returns Unavailable when the cluster is away and Denied when a right is missing.
type ClusterReader interface {
	// Get returns the object with its status, or NotFound.
	Get(ctx context.Context, ref Ref) (Object, error)
	// List returns the objects of the kind in the namespace, "" for all of them, by name; none where the account does not know the kind.
	List(ctx context.Context, apiVersion, kind, namespace string) ([]Object, error)
	// Watch yields each object of the kind in the namespace, then each again whenever it changes; what was
	// deleted comes with metadata.deletionTimestamp set, once. It ends with ctx or with an error. A workload
	// whose pods cannot heal by themselves has the condition Stalled, which says why. Watchers share what is
	// yielded: they MUST NOT change it.
	Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[Object, error]
	// Follow is Watch for one object.
	Follow(ctx context.Context, ref Ref) iter.Seq2[Object, error]
}

// A ClusterWriter changes the objects of one account. Errors are those of a ClusterReader, and those that are named.
type ClusterWriter interface {
	// Apply makes the object's fields so, under Sluice's own name, and returns the object as it is now.
	// Fields that Sluice set before and the object no longer has are removed; fields of others stay. A field
	// that someone else owns with another value is a Conflict. A kind or field that the cluster cannot
	// carry out is Unsupported and named. With dryRun nothing is changed, all else is the same.
	Apply(ctx context.Context, o Object, dryRun bool) (Object, Outcome, error)
	// Restore makes the object as it was when Get returned was, as far as Sluice changed it since: what others
	// changed stays. A field of ours that others have taken over is a Conflict, which is returned when the rest is
	// back. An object that is gone is made anew. With dryRun nothing is changed, all else is the same.
	Restore(ctx context.Context, was Object, dryRun bool) (Object, Outcome, error)
	// Scale sets how many pods the workload wants, and keeps who owns that and every other field.
	Scale(ctx context.Context, ref Ref, replicas int) error
	// Delete deletes the object and returns when it is gone, with all that belongs to it. Deleting what is
	// not there succeeds.
	Delete(ctx context.Context, ref Ref) error
}

// A Cluster holds the objects of one account: a Kubernetes cluster, or the local machine.
type Cluster interface {
	ClusterReader
	ClusterWriter
}

// A Pod is one running replica of a workload.
type Pod struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Owner     string            `json:"owner"` // the workload, as Kind/name
	Image     string            `json:"image"`
	Ready     bool              `json:"ready"`
	Restarts  int               `json:"restarts"`
	Reason    string            `json:"reason,omitempty"`   // why it is not ready
	Revision  string            `json:"revision,omitempty"` // of its workload's template; "" where the account keeps none
	Labels    map[string]string `json:"labels,omitempty"`
}

// A Host is what runs the pods of an account.
type Host interface {
	// Pods lists the replicas in the namespace, "" for all of them, by name.
	Pods(ctx context.Context, namespace string) ([]Pod, error)
	// Logs returns the last n lines that the pod wrote.
	Logs(ctx context.Context, namespace, pod string, n int) ([]string, error)
	// Tail yields the lines that the pod's first container writes, from the first one that is kept, until the pod
	// has ended. It ends with ctx or with an error.
	Tail(ctx context.Context, namespace, pod string) iter.Seq2[string, error]
	// Exec runs a command in the pod and returns what it printed; a non-zero status is a Failed error.
	Exec(ctx context.Context, namespace, pod string, command []string) (string, error)
	// Evict ends the pod, so that its workload makes another one; it waits while a disruption budget forbids
	// it. Evicting what is not there succeeds.
	Evict(ctx context.Context, namespace, pod string) error
}

// A Network reaches the Services of an account.
type Network interface {
	// Address returns where a Service's port answers from here, as host:port. NotFound names what is missing.
	Address(ctx context.Context, namespace, service string, port int) (string, error)
	// Transport returns what carries HTTP requests to a Service's port, whatever host they name.
	Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error)
}

// A Division is how the traffic of a workload is to be divided between the pods of its stable and its canary track.
type Division struct {
	Namespace string
	Service   string    // it selects the pods of both tracks
	Declared  bool      // the deployment brings the Service; another one is left undivided where something else's pods serve it too
	Stable    string    // the Deployment of the stable pods
	Canary    string    // the Deployment of the canary pods
	Percent   int       // for the canary pods, 0 to 100
	Traffic   []Traffic // of the target: by what its traffic is divided; empty: by its Services alone
}

// A Shifter divides traffic.
type Shifter interface {
	// Weighs reports whether every percentage can be had whatever the numbers of pods. If not, the numbers of
	// ready pods divide what lies between 0 and 100.
	Weighs(traffic []Traffic) bool
	// Shift sends the percentage to the ready canary pods and the rest to the stable ones. It returns once the
	// division holds for every new request. No traffic is ever sent to a side without a ready pod.
	Shift(ctx context.Context, d Division) error
	// Release takes away what Shift made and puts back what it changed, whatever the percentage: the Service
	// sends its traffic to every pod that it selects. Releasing what was never shifted changes nothing.
	Release(ctx context.Context, d Division) error
}

// An Account is a named place to deploy to.
type Account interface {
	Cluster
	Host
	Network
	Shifter
	Volumes
}

// Manager is the name under which Sluice writes objects where an account keeps who set which field.
const Manager = "sluice"

// TrackLabel is the label that tells canary pods from stable ones. Its values are TrackStable and TrackCanary;
// a pod without it is stable.
const (
	TrackLabel  = "sluice-cd.github.io/track"
	TrackStable = "stable"
	TrackCanary = "canary"
)

// The annotations on a StatefulSet or DaemonSet that name the pod which changes its version last: by its labels, as
// key=value with commas between them, or by a command that succeeds in it alone.
const (
	PrimaryLabels = "sluice-cd.github.io/primary"
	PrimaryProbe  = "sluice-cd.github.io/primary-probe"
)

// ParseRef reads Kind/name of a built-in kind, Kind.version/name of a kind without a group, Kind.group/name, whose version is
// v1, and Kind.version.group/name. The API version of a kind that is not built in and has no group is "".
func ParseRef(s, namespace string) (Ref, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok || kind == "" || name == "" {
		return Ref{}, Errorf(Invalid, "%q is not of the form Kind/name", s).WithHint("write it like StatefulSet/mongo")
	}
	kind, group, ok := strings.Cut(kind, ".")
	if !ok {
		return Ref{APIVersion: apiVersions[kind], Kind: kind, Namespace: namespace, Name: name}, nil
	}
	if isAPIVersion(group) && !strings.Contains(group, ".") {
		return Ref{APIVersion: group, Kind: kind, Namespace: namespace, Name: name}, nil
	}
	version := "v1"
	if first, rest, ok := strings.Cut(group, "."); ok && isAPIVersion(first) {
		version, group = first, rest
	}
	return Ref{APIVersion: group + "/" + version, Kind: kind, Namespace: namespace, Name: name}, nil
}

// isAPIVersion reports whether the word is a version, as in v1, v2beta1.
func isAPIVersion(word string) bool {
	return len(word) > 1 && word[0] == 'v' && word[1] >= '0' && word[1] <= '9'
}

var apiVersions = map[string]string{
	"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1",
	"Service": "v1", "PersistentVolumeClaim": "v1", "ConfigMap": "v1", "Secret": "v1", "Namespace": "v1", "Pod": "v1",
	"PersistentVolume": "v1", "ServiceAccount": "v1", "Node": "v1", "ReplicaSet": "apps/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
	"Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "PodDisruptionBudget": "policy/v1",
	"StorageClass": "storage.k8s.io/v1", "CustomResourceDefinition": "apiextensions.k8s.io/v1",
}
