package dataset

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
)

// managedBy marks pods of Sluice's own, which reach Sluice or a repository.
const managedBy = "app.kubernetes.io/managed-by"

// A containment is what keeps the objects of a scratch apart from everything else. In an account without networks,
// quotas and owners it does nothing.
type containment struct {
	owner map[string]any // in whose name the objects exist; nil: nobody's
}

// contain makes the namespace and its limits, before anything else is in it. The owner of everything that follows is a
// Job that never has a pod. At its deadline the cluster deletes it and what it owns.
func (d Dataset) contain(ctx context.Context, claims []sluice.Object, t term) (containment, error) {
	account := d.Place.Account
	if _, _, err := account.Apply(ctx, d.namespace(t), false); err != nil {
		return containment{}, err
	}
	if account.Writers == nil {
		return containment{}, nil
	}
	for _, o := range []sluice.Object{d.isolation(), d.passage(), d.quota(claims)} {
		if _, _, err := account.Apply(ctx, o, false); err != nil {
			return containment{}, err
		}
	}
	job, _, err := account.Apply(ctx, d.expiry(t), false)
	if err != nil {
		return containment{}, err
	}
	return containment{map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "name": job.Ref().Name, "uid": job.Text("metadata", "uid"),
	}}, nil
}

// object returns an object of the scratch.
func (d Dataset) object(apiVersion, kind, name string, spec map[string]any) sluice.Object {
	o := sluice.Object{"apiVersion": apiVersion, "kind": kind, "spec": spec}
	o.Set(name, "metadata", "name")
	o.Set(d.Place.Namespace, "metadata", "namespace")
	return o
}

// isolation lets pods of the scratch reach each other and look up names, and nothing else.
func (d Dataset) isolation() sluice.Object {
	inside := []any{map[string]any{"podSelector": map[string]any{}}}
	var ports []any
	for _, protocol := range []string{"UDP", "TCP"} {
		for _, port := range []int64{53, 5353} { // some clusters serve DNS behind another port
			ports = append(ports, map[string]any{"protocol": protocol, "port": port})
		}
	}
	dns := []any{
		map[string]any{"namespaceSelector": map[string]any{}},
		map[string]any{"ipBlock": map[string]any{"cidr": "169.254.20.10/32"}}, // the cache of a node
	}
	return d.object("networking.k8s.io/v1", "NetworkPolicy", "sluice-isolation", map[string]any{
		"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"},
		"ingress": []any{map[string]any{"from": inside}},
		"egress":  []any{map[string]any{"to": inside}, map[string]any{"to": dns, "ports": ports}},
	})
}

// passage lets pods of Sluice's own reach Sluice and the repository.
func (d Dataset) passage() sluice.Object {
	return d.object("networking.k8s.io/v1", "NetworkPolicy", "sluice-passage", map[string]any{
		"podSelector": map[string]any{"matchLabels": map[string]any{managedBy: sluice.Manager}},
		"policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{map[string]any{}}, "egress": []any{map[string]any{}},
	})
}

// perClaim is how many claims and pods of Sluice's own each claim may need at a time: to fill it, to cut it again, and
// to read it.
const perClaim = 3

// quota bounds what the scratch may use. It allows no Service that others could reach.
func (d Dataset) quota(claims []sluice.Object) sluice.Object {
	n := perClaim * len(claims)
	hard := map[string]any{
		"pods": fmt.Sprint(n + 2), "persistentvolumeclaims": fmt.Sprint(n),
		"services.loadbalancers": "0", "services.nodeports": "0",
	}
	if storage, ok := storageOf(claims); ok {
		storage.Mul(perClaim)
		hard["requests.storage"] = storage.String()
	}
	return d.object("v1", "ResourceQuota", "sluice-limits", map[string]any{"hard": hard})
}

// storageOf adds up what the claims request, and returns false if one of them does not say it.
func storageOf(claims []sluice.Object) (sum resource.Quantity, ok bool) {
	for _, claim := range claims {
		size, err := resource.ParseQuantity(claim.Text("spec", "resources", "requests", "storage"))
		if err != nil {
			return sum, false
		}
		sum.Add(size)
	}
	return sum, true
}

// expiry is the Job that owns the scratch. It wants no pod at any time, so only its deadline ends it.
func (d Dataset) expiry(t term) sluice.Object {
	nothing := map[string]any{"name": "none", "image": "none"}
	return d.object("batch/v1", "Job", expiryJob, map[string]any{
		"parallelism": int64(0), "completions": int64(1), "backoffLimit": int64(0),
		"activeDeadlineSeconds": t.seconds(), "ttlSecondsAfterFinished": int64(0),
		"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never", "automountServiceAccountToken": false, "containers": []any{nothing},
		}},
	})
}

// owned returns the object with its owner.
func (c containment) owned(o sluice.Object) sluice.Object {
	if c.owner == nil {
		return o
	}
	o = o.Clone()
	o.Set([]any{c.owner}, "metadata", "ownerReferences")
	return o
}

// contained returns the object as it may exist in a scratch: its pods have no credentials of the cluster and no network
// but their own, and its Services are reached from inside only.
func contained(o sluice.Object) sluice.Object {
	o = o.Clone()
	if o.Text("kind") == "Service" {
		spec, _ := o["spec"].(map[string]any)
		for _, field := range []string{"externalIPs", "externalName", "externalTrafficPolicy", "loadBalancerClass",
			"loadBalancerSourceRanges", "allocateLoadBalancerNodePorts"} {
			delete(spec, field)
		}
		o.Set("ClusterIP", "spec", "type")
		return o
	}
	pod, ok := o.Field("spec", "template", "spec").(map[string]any)
	if !ok {
		return o
	}
	for _, field := range []string{"serviceAccountName", "serviceAccount", "hostNetwork", "hostPID", "hostIPC"} {
		delete(pod, field)
	}
	pod["automountServiceAccountToken"] = false
	for _, c := range sluice.Object(pod).List("containers") {
		for _, p := range c.List("ports") {
			delete(p, "hostPort")
		}
	}
	if labels, ok := o.Field("spec", "template", "metadata", "labels").(map[string]any); ok &&
		labels[managedBy] == sluice.Manager {
		labels[managedBy] = "copy" // or the pods could pass
	}
	return o
}
