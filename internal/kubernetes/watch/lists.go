package watch

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// Lists are the kinds that controllers make and that a rollout lists again and again. What is listed is at least as new
// as every workload that this process has seen or written in the namespace. So the pods of a Deployment that was just
// seen to be ready are ready.
type lists struct {
	pods        *listing[pod.Pod]
	replicaSets *listing[replicaSet]
	endpoints   *listing[sluice.Object]
}

func newLists(c *client.Client, namespace string) *lists {
	path := func(groupVersion, resource string) string { return client.Path(groupVersion, namespace, resource) }
	return &lists{
		pods: newListing(reflector[pod.Pod]{
			client: c, op: "list pods", path: path("v1", "pods"), form: podForm,
			version: func(p *pod.Pod) string { return p.Metadata.ResourceVersion },
		}, identifyPod),
		replicaSets: newListing(reflector[replicaSet]{
			client: c, op: "list replicasets", path: path("apps/v1", "replicasets"), form: setForm,
			version: func(s *replicaSet) string { return versionOf(&s.meta) },
		}, func(s *replicaSet) identity { return identify(&s.meta) }),
		endpoints: newListing(reflector[sluice.Object]{
			client: c, op: "list endpointslices", path: path("discovery.k8s.io/v1", "endpointslices"),
			version: versionOf,
		}, identify),
	}
}

var podForm = client.NewForm(pod.Of, func(message []byte) ([]corev1.Pod, metav1.ListMeta, error) {
	var list corev1.PodList
	err := list.Unmarshal(message)
	return list.Items, list.ListMeta, err
})

var setForm = client.NewForm(replicaSetOf, func(message []byte) ([]appsv1.ReplicaSet, metav1.ListMeta, error) {
	var list appsv1.ReplicaSetList
	err := list.Unmarshal(message)
	return list.Items, list.ListMeta, err
})

func identifyPod(p *pod.Pod) identity {
	m := p.Metadata
	return identity{m.Namespace + "/" + m.Name, numeric(m.ResourceVersion)}
}

// identify also removes what nobody needs.
func identify(o *sluice.Object) identity {
	if meta, ok := (*o)["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
	}
	ref := o.Ref()
	return identity{ref.Namespace + "/" + ref.Name, resourceVersion(*o)}
}

// expire makes the next lists begin after everything that has happened.
func (l *lists) expire() {
	l.pods.position().expire()
	l.replicaSets.position().expire()
	l.endpoints.position().expire()
}

func (l *lists) close() {
	l.pods.close()
	l.replicaSets.close()
	l.endpoints.close()
}

// Pods returns the pods of the namespace, "" for all, in no order. Nobody may change them or the slice. They are as new
// as the workloads that this process has seen or written.
func (s *Informers) Pods(ctx context.Context, namespace string) ([]*pod.Pod, error) {
	l, version := s.listsOf(namespace)
	return l.pods.list(ctx, version)
}

// ReplicaSets is Pods for ReplicaSets. They have nothing but their metadata.
func (s *Informers) ReplicaSets(ctx context.Context, namespace string) ([]sluice.Object, error) {
	l, version := s.listsOf(namespace)
	list, err := l.replicaSets.list(ctx, version)
	all := make([]sluice.Object, len(list))
	for i, set := range list {
		all[i] = set.meta
	}
	return all, err
}

// LacksReplicaSet reports whether the shared watch is up to date and shows no ReplicaSet with the name.
func (s *Informers) LacksReplicaSet(namespace, name string) bool {
	s.mu.Lock()
	l, ok := s.lists[namespace]
	s.mu.Unlock()
	return ok && l.replicaSets.position().isCurrent() && !l.replicaSets.has(namespace+"/"+name)
}

// AwaitEndpoints calls look with the EndpointSlices and the pods of the namespace, now and whenever the slices change,
// until look returns true. The pods are at least as new as the slices.
func (s *Informers) AwaitEndpoints(
	ctx context.Context, namespace string, look func(slices []sluice.Object, pods []*pod.Pod) bool,
) error {
	for {
		l, version := s.listsOf(namespace)
		l.endpoints.watchFrom(firstCall)
		moved := l.endpoints.position().changes()
		slices, err := values(l.endpoints.list(ctx, version))
		if err != nil {
			return err
		}
		pods, err := l.pods.list(ctx, max(version, newest(slices)))
		if err != nil || look(slices, pods) {
			return err
		}
		select {
		case <-moved:
		case <-time.After(lookAgain): // there may be no right to watch
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lookAgain is how long to wait for a watch before looking again.
const lookAgain = time.Second

func newest(list []sluice.Object) uint64 {
	version := uint64(0)
	for _, o := range list {
		version = max(version, resourceVersion(o))
	}
	return version
}

func values(list []*sluice.Object, err error) ([]sluice.Object, error) {
	all := make([]sluice.Object, len(list))
	for i, o := range list {
		all[i] = *o
	}
	return all, err
}
