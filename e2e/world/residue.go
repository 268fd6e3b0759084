package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/sluice-cd/sluice"
)

// A Snapshot is every object of a namespace, without status and without the server's own numbers. Pods and replica sets
// are counted by their owner, because their names have no meaning.
type Snapshot map[string]any

// books are kinds that Kubernetes keeps for its own use.
var books = []string{"events", "endpoints", "endpointslices", "leases", "controllerrevisions", "componentstatuses"}

// Snapshot takes all objects of the namespace.
func (w *World) Snapshot() Snapshot {
	w.Helper()
	s := Snapshot{}
	pods, all := map[string]int{}, w.everything(context.Background(), w.Namespace)
	sets := map[string]string{} // the owners of ReplicaSets
	for _, o := range all {
		if o.Text("kind") == "ReplicaSet" {
			sets[o.Ref().String()] = owner(o)
		}
	}
	for _, o := range all {
		key := o.Ref().String()
		switch o.Text("kind") {
		case "Pod":
			if o.Text("metadata", "deletionTimestamp") == "" {
				pods[workload(o, sets)]++
			}
			continue
		case "ConfigMap":
			if o.Ref().Name == "kube-root-ca.crt" {
				continue // the control plane puts it into every namespace, in its own time
			}
		case "ReplicaSet":
			if owner(o) != "" {
				continue // its Deployment and pods show the same
			}
		}
		s[key] = meant(o)
	}
	for of, n := range pods {
		s["pods of "+of] = n
	}
	return s
}

// workload is the pod's owner, or the owner of its replica set.
func workload(pod sluice.Object, sets map[string]string) string {
	by := owner(pod)
	if deployment, ok := sets[by]; ok {
		return deployment
	}
	return by + "@" + pod.Text("metadata", "labels", "controller-revision-hash")
}

// meant returns the parts of the object that somebody wrote.
func meant(o sluice.Object) sluice.Object {
	o = o.Clone()
	delete(o, "status")
	if m, ok := o["metadata"].(map[string]any); ok {
		for _, key := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
			"deletionGracePeriodSeconds"} {
			delete(m, key)
		}
		if a, ok := m["annotations"].(map[string]any); ok {
			delete(a, "deployment.kubernetes.io/revision")
			if len(a) == 0 {
				delete(m, "annotations")
			}
		}
	}
	return o
}

// Unchanged fails unless all objects of the namespace are as they were, except those in but, such as "Deployment/web",
// or "ConfigMap/web*" for all that begin so.
// It first waits for objects that are being deleted.
func (w *World) Unchanged(was Snapshot, but ...string) {
	w.Helper()
	w.settle()
	now := w.Snapshot()
	was = maps.Clone(was)
	for _, key := range but {
		prefix, many := strings.CutSuffix(key, "*")
		for _, s := range []Snapshot{was, now} {
			maps.DeleteFunc(s, func(k string, _ any) bool { return k == key || many && strings.HasPrefix(k, prefix) })
		}
	}
	if diff := cmp.Diff(was, now); diff != "" {
		w.Errorf("the namespace is not as it was (-was +now):\n%s", diff)
	}
}

// settle waits until nothing in the namespace is being deleted.
func (w *World) settle() {
	w.Helper()
	w.Await("pods to end", func() bool {
		return !slices.ContainsFunc(w.List("Pod", ""),
			func(o sluice.Object) bool { return o.Text("metadata", "deletionTimestamp") != "" })
	})
}

// everything lists the objects of all kinds in the namespace, "" for the whole cluster.
func (w *World) everything(ctx context.Context, namespace string) []sluice.Object {
	w.Helper()
	var all []sluice.Object
	for _, r := range w.resources() {
		if namespace != "" && !r.namespaced {
			continue
		}
		list, err := w.client.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			continue // a definition that another test has just deleted
		}
		for _, u := range list.Items {
			o := sluice.Object(u.Object)
			if list.GetKind() != "" && o.Text("kind") == "" {
				o["kind"] = strings.TrimSuffix(list.GetKind(), "List")
			}
			all = append(all, o)
		}
	}
	return all
}

type resource struct {
	schema.GroupVersionResource
	namespaced bool
}

// resources are all that can be listed, in the version that the server prefers.
func (w *World) resources() []resource {
	w.Helper()
	lists, err := discovery.ServerPreferredResources(w.lists)
	if len(lists) == 0 {
		w.try(err)
	}
	var all []resource
	for _, l := range lists {
		version, err := schema.ParseGroupVersion(l.GroupVersion)
		w.try(err)
		for _, r := range l.APIResources {
			if slices.Contains(r.Verbs, "list") && !slices.Contains(books, r.Name) &&
				!strings.Contains(l.GroupVersion, "metrics.k8s.io") {
				all = append(all, resource{version.WithResource(r.Name), r.Namespaced})
			}
		}
	}
	return all
}

// inspect fails the test if anything in the cluster still names one of its deployments, except the pods of delivered
// workloads in its namespace, which say which deployment they belong to.
func (w *World) inspect() {
	ids := w.deployments()
	if len(ids) == 0 {
		return
	}
	all := w.everything(context.Background(), "")
	goes := map[string]bool{} // namespaces that are being deleted, such as that of another World of the test
	for _, o := range all {
		if o.Text("kind") == "Namespace" && o.Text("metadata", "deletionTimestamp") != "" {
			goes[o.Ref().Name] = true
		}
	}
	for _, o := range all {
		ref := o.Ref()
		if o.Text("metadata", "deletionTimestamp") != "" || goes[ref.Namespace] {
			continue
		}
		if ref.Namespace == w.Namespace && (ref.Kind == "Pod" || ref.Kind == "ReplicaSet") {
			continue // Unchanged compares them
		}
		if ref.Namespace == w.Namespace && belongsToWorkload(o) {
			continue // a version of the configuration stays as long as pods may be made that use it
		}
		if ref.Namespace == w.Namespace {
			delete(o, "spec")
		}
		text, err := json.Marshal(o)
		if err != nil {
			w.Error(err)
			return
		}
		for _, id := range ids {
			if strings.Contains(string(text), string(id)) {
				w.Errorf("left in the cluster: %s in namespace %q names deployment %s:\n%s", ref, ref.Namespace, id, text)
			}
		}
	}
}

func belongsToWorkload(o sluice.Object) bool {
	return slices.ContainsFunc(o.List("metadata", "ownerReferences"), func(owner sluice.Object) bool {
		return owner.Text("kind") == "ReplicaSet" || owner.Text("kind") == "Deployment"
	})
}

// deployments returns the ended deployments of the state directory.
func (w *World) deployments() []sluice.DeploymentID {
	if found, err := filepath.Glob(filepath.Join(w.Dir, ".sluice", "sluice.db")); err != nil || len(found) == 0 {
		return nil
	}
	cmd := exec.Command(program("sluice"), "status", "-o", "json")
	cmd.Dir = w.Dir
	out, err := cmd.Output()
	exit := new(exec.ExitError)
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		w.Errorf("sluice status: %v", err)
		return nil
	}
	var list struct{ Items []sluice.Deployment }
	if err := json.Unmarshal(out, &list); err != nil {
		w.Errorf("sluice status: %v\n%s", err, out)
	}
	var ids []sluice.DeploymentID
	for _, d := range list.Items {
		if !d.EndedAt.IsZero() {
			ids = append(ids, d.ID)
		}
	}
	return ids
}
