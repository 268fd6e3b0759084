package sluice

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Object is a Kubernetes object as decoded from JSON: maps, slices, strings, float64 or int64, bools, nil.
type Object map[string]any

// A Ref names an object. Namespace is "" for a kind without namespaces.
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
	return Ref{
		APIVersion: o.Text("apiVersion"), Kind: o.Text("kind"),
		Namespace: o.Text("metadata", "namespace"), Name: o.Text("metadata", "name"),
	}
}

// Field returns the value at the path, nil if there is none.
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

// Text returns the string at the path, "" if there is none.
func (o Object) Text(path ...string) string {
	s, _ := o.Field(path...).(string)
	return s
}

// Number returns the integer at the path, or absent if there is none.
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

// List returns the objects in the list at the path, to be read or changed in place. It leaves out what is no object.
func (o Object) List(path ...string) []Object {
	all, _ := o.Field(path...).([]any)
	var list []Object
	for _, e := range all {
		if m, ok := e.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
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

// Absent returns what Follow yields for an object that does not exist.
func (r Ref) Absent() Object {
	o := Object{"apiVersion": r.APIVersion, "kind": r.Kind}
	o.Set(r.Name, "metadata", "name")
	if r.Namespace != "" {
		o.Set(r.Namespace, "metadata", "namespace")
	}
	o.Set("1970-01-01T00:00:00Z", "metadata", "deletionTimestamp")
	return o
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
	// List returns the objects of the kind in the namespace, "" for all of them, sorted by name. It returns none for a
	// kind that the account does not know. Callers share the objects: they MUST NOT change them.
	List(ctx context.Context, apiVersion, kind, namespace string) ([]Object, error)
	// Watch yields each object of the kind in the namespace, and yields it again whenever it changes. It yields a
	// deleted object once, with metadata.deletionTimestamp set. It ends with ctx or with an error. A workload whose pods
	// cannot become ready by themselves has the condition Stalled, which says why. A workload is yielded again also when
	// one of its pods was restarted or is no longer ready; Pods then shows it. Watchers share the objects: they MUST NOT
	// change them.
	Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[Object, error]
	// Follow is Watch for one object. If it does not exist at first, Follow yields an object that has only the name, the
	// namespace and metadata.deletionTimestamp.
	Follow(ctx context.Context, ref Ref) iter.Seq2[Object, error]
}

// A ClusterWriter changes the objects of one account. It returns the errors of a ClusterReader, and those that its
// methods name. After ctx is cancelled nothing changes any more.
type ClusterWriter interface {
	// Apply sets the object's fields, under Sluice's own name, and returns the object as it is now. It removes fields
	// that Sluice set before and that the object no longer has; it keeps the fields of others. A field that somebody
	// else owns with another value is a Conflict. A kind or field that the account does not support is Unsupported, a
	// value that it refuses is Invalid; both name it. With dryRun nothing changes, and everything else is the same.
	Apply(ctx context.Context, o Object, dryRun bool) (Object, Outcome, error)
	// Restore undoes what Sluice changed in the object since Get returned was; it keeps what others changed. A field of
	// Sluice that others have taken over is a Conflict, which is returned after everything else is back. An object that
	// is gone is created again. With dryRun nothing changes, and everything else is the same.
	Restore(ctx context.Context, was Object, dryRun bool) (Object, Outcome, error)
	// Scale sets how many pods the workload wants. Every other field, and who owns the count, stay as they are. A
	// workload that does not exist is NotFound; a kind that has no count is Unsupported.
	Scale(ctx context.Context, ref Ref, replicas int) error
	// Delete deletes the object and returns when it is gone, with everything that belongs to it. Deleting an object
	// that does not exist succeeds.
	Delete(ctx context.Context, ref Ref) error
}

// A Pod is one running replica of a workload.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Owner     string `json:"owner"` // the workload, as Kind/name
	Image     string `json:"image"`
	Ready     bool   `json:"ready"`
	Restarts  int    `json:"restarts"`
	Reason    string `json:"reason,omitempty"` // why it is not ready
	// LastEnd says how the container that was restarted last had ended, such as "it ended with status 3"; "" if none
	// was.
	LastEnd string    `json:"lastEnd,omitempty"`
	Ending  bool      `json:"ending,omitempty"` // it is being deleted
	Created time.Time `json:"created,omitzero"` // by the clock of the account
	// Revision names the template that the pod was made from, spelled as in status.currentRevision and
	// status.updateRevision of its workload; "" if the account keeps no revisions.
	Revision string            `json:"revision,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// IsOf reports whether the pod belongs to one of the workloads, or to anything if none is named.
func (p Pod) IsOf(workloads []Ref) bool {
	return len(workloads) == 0 || slices.ContainsFunc(workloads, func(r Ref) bool {
		return r.String() == p.Owner && r.Namespace == p.Namespace
	})
}

// A Host runs the pods of an account. A pod that does not exist is NotFound, unless a method says otherwise.
type Host interface {
	// Pods lists the replicas in the namespace, "" for all of them, sorted by name. If workloads are named, it lists
	// only theirs.
	Pods(ctx context.Context, namespace string, of ...Ref) ([]Pod, error)
	// Logs returns the last n lines that the pod wrote, those from before its last restart included.
	Logs(ctx context.Context, namespace, pod string, n int) ([]string, error)
	// Tail yields the lines that the pod's first container writes, from the first line that is kept, until the pod has
	// ended. It ends with ctx or with an error. A pod that does not exist is NotFound.
	Tail(ctx context.Context, namespace, pod string) iter.Seq2[string, error]
	// Exec runs a command in the pod and returns what it printed. A command that ends with a status other than 0 is
	// Failed.
	Exec(ctx context.Context, namespace, pod string, command []string) (string, error)
	// Evict ends the pod, so that its workload makes another one, and returns when it has ended. It waits while a
	// disruption budget forbids the eviction. Evicting a pod that does not exist succeeds.
	Evict(ctx context.Context, namespace, pod string) error
}

// A Network reaches the Services of an account.
type Network interface {
	// Address returns where this process reaches a Service's port, as host:port. NotFound names what does not exist.
	Address(ctx context.Context, namespace, service string, port int) (string, error)
	// Transport returns a transport that sends every HTTP request to the Service's port, whatever host it names.
	Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error)
}

// A Division says how to divide the traffic of a workload between the pods of its stable and its canary track.
type Division struct {
	Namespace string
	Service   string    // selects the pods of both tracks
	Declared  bool      // the deployment brings the Service; another one that serves foreign pods too stays undivided
	Stable    string    // the Deployment of the stable pods
	Canary    string    // the Deployment of the canary pods
	Release   string    // the value of ReleaseLabel on the canary pods; "": they have TrackLabel instead
	Percent   int       // for the canary pods, 0 to 100
	Serving   int       // how many ready stable pods get traffic if the numbers of pods divide it; 0: all of them
	Traffic   []Traffic // how the target divides its traffic; empty: by its Services alone
}

// An Adopter runs the next version of a Deployment beside it, and hands its pods over.
type Adopter interface {
	// Beside applies a canary: a Deployment whose pods have the template that another Deployment will get, and a label
	// that only they have. Its pods belong to the replica set of the given name, which they keep for good. An account
	// without replica sets begins the names of the pods with it. A replica set of that name that belongs to something
	// else is a Conflict. Pods of a canary are counted in its status as those of any Deployment, but it never fails
	// because of its progressDeadlineSeconds. Beside is repeated safely: it finishes what an interrupted call began. It
	// returns the errors of Apply.
	Beside(ctx context.Context, canary Object, replicaSet string) (Object, Outcome, error)
	// Orphan deletes the Deployment and leaves its pods, which go on without interruption. A Deployment whose selector
	// matches them adopts them: as its own version if it has the same template, even while it is paused; otherwise as an
	// old version, which it ends. Orphan returns once the deletion is accepted; the adoption shows in the status of the
	// other Deployment. Orphaning a Deployment that does not exist, or is being deleted, succeeds.
	Orphan(ctx context.Context, ref Ref) error
}

// A Shifter divides traffic.
type Shifter interface {
	// Weighs reports whether Shift can reach every percentage with any number of pods. If not, percentages between 0
	// and 100 follow from the numbers of ready pods.
	Weighs(traffic []Traffic) bool
	// Shift sends the percentage of the traffic to the ready canary pods and the rest to the ready stable pods. It
	// returns once the division holds for every new request. It never sends traffic to a side without a ready pod.
	Shift(ctx context.Context, d Division) error
	// Release removes what Shift made and puts back what it changed, whatever the percentage: the Service sends its
	// traffic to every pod that it selects. Releasing a Service that was never shifted changes nothing.
	Release(ctx context.Context, d Division) error
}

// An Account is a place to deploy to: a Kubernetes cluster or the local machine. Every account has the embedded
// abilities. An ability in a named field is nil if the account does not have it.
type Account struct {
	ClusterReader
	ClusterWriter
	Host
	Network
	Adopter
	Shifter
	Volumes   Volumes
	Snapshots Snapshots
	Reviewer  Reviewer
	Writers   Writers
}

// ReleaseLabel is the label on the pods of a Deployment whose value is unique to the deployment that brought their
// version. So it tells canary pods from stable ones, and is still right when the Deployment has adopted the canary's
// pods.
const ReleaseLabel = "sluice-cd.github.io/release"

// TrackLabel marks a Deployment or a Service as a canary. Its values are TrackStable and TrackCanary. Earlier versions
// of Sluice also labelled the pods of canaries with it.
const (
	TrackLabel  = "sluice-cd.github.io/track"
	TrackStable = "stable"
	TrackCanary = "canary"
)

// The annotations on a StatefulSet or DaemonSet that name the pod that changes its version last: by the pod's labels,
// as key=value with commas between them, or by a command that succeeds only in that pod.
const (
	PrimaryLabels = "sluice-cd.github.io/primary"
	PrimaryProbe  = "sluice-cd.github.io/primary-probe"
)

// ParseRef reads Kind/name for a built-in kind, Kind.version/name for a kind without a group, Kind.group/name, whose
// version is v1, and Kind.version.group/name. The API version of a kind that is not built in and has no group is "".
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
	"ConfigMap": "v1", "Namespace": "v1", "Node": "v1", "PersistentVolume": "v1", "PersistentVolumeClaim": "v1",
	"Pod": "v1", "Secret": "v1", "Service": "v1", "ServiceAccount": "v1",
	"DaemonSet": "apps/v1", "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1",
	"CronJob": "batch/v1", "Job": "batch/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
	"Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "PodDisruptionBudget": "policy/v1",
	"StorageClass": "storage.k8s.io/v1", "CustomResourceDefinition": "apiextensions.k8s.io/v1",
}
