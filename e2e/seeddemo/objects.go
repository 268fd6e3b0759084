package seeddemo

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// passing are kinds of objects that come and go by themselves or with another listed object.
var passing = []string{
	"bindings", "componentstatuses", "controllerrevisions.apps", "endpoints", "endpointslices.discovery.k8s.io", "events",
	"events.events.k8s.io", "ipaddresses.networking.k8s.io", "leases.coordination.k8s.io", "persistentvolumes",
	"replicasets.apps",
}

// ours are the namespaces of the demo. Other tests use the clusters, too.
var ours = append([]string{"portworx", "armory-rna"}, applications...)

// applications are the namespaces of the shops.
var applications = []string{"shop", "pxbbq"}

// isOurs reports whether the object is in a namespace of the demo, is one, or belongs to one by its name.
func (o object) isOurs() bool {
	return slices.Contains(ours, o.Metadata.Namespace) ||
		o.Kind == "Namespace" &&
			slices.ContainsFunc(ours, func(name string) bool { return strings.HasPrefix(o.Metadata.Name, name) })
}

// Everything names each object of the demo in both clusters, apart from passing ones and the pods of workloads, as
// "cluster kind namespace/name".
func (w *World) Everything(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, c := range w.pair.Clusters() {
		kinds := strings.Fields(w.Kubectl(t, c, "", "api-resources", "--verbs=list", "-o", "name"))
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return slices.Contains(passing, kind) })
		text := w.Kubectl(t, c, "", "get", strings.Join(kinds, ","), "-A", "-o", "json")
		for _, o := range decode(t, text) {
			if !o.isOurs() || len(o.Metadata.OwnerReferences) > 0 && o.Kind == "Pod" {
				continue
			}
			all = append(all, c.Name+" "+o.kind()+" "+o.Metadata.Namespace+"/"+o.Metadata.Name)
		}
	}
	slices.Sort(all)
	return all
}

// Objects returns the objects of the namespace without what the cluster itself adds to them.
func (w *World) Objects(t *testing.T, c *cluster.Cluster, namespace string) map[string]string {
	t.Helper()
	text := w.Kubectl(t, c, "", "get", "-n", namespace, "-o", "json",
		"deployments,statefulsets,replicasets,pods,services,configmaps,secrets,serviceaccounts,persistentvolumeclaims")
	all := map[string]string{}
	for _, o := range decode(t, text) {
		spec, err := json.MarshalIndent([]any{o.Metadata.UID, o.Metadata.Labels, o.Metadata.Annotations, o.Spec, o.Data},
			"", " ")
		try(t, err)
		all[o.kind()+" "+o.Metadata.Name] = string(spec)
	}
	return all
}

type object struct {
	APIVersion, Kind string
	Metadata         struct {
		Namespace, Name, UID string
		Labels, Annotations  map[string]string
		OwnerReferences      []any
	}
	Spec, Data any
}

// kind returns the kind as kubectl names it: kind.group.
func (o object) kind() string {
	kind := strings.ToLower(o.Kind)
	if group, _, found := strings.Cut(o.APIVersion, "/"); found {
		kind += "." + group
	}
	return kind
}

func decode(t *testing.T, text string) []object {
	t.Helper()
	var list struct{ Items []object }
	try(t, json.Unmarshal([]byte(text), &list))
	return list.Items
}
