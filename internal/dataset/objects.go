package dataset

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Workload returns the dataset's workload as it is, nil if the dataset has none or it does not exist.
func (d Dataset) Workload(ctx context.Context) (sluice.Object, error) {
	if d.Spec.Workload == "" {
		return nil, nil
	}
	ref, err := sluice.ParseRef(d.Spec.Workload, d.Place.Namespace)
	if err != nil {
		return nil, err
	}
	return d.get(ctx, ref)
}

// get returns nil for an object that does not exist.
func (d Dataset) get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	o, err := d.Place.Account.Get(ctx, ref)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	return o, err
}

func claimRef(namespace, claim string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim}
}

// Surroundings returns everything that is needed to open the data again elsewhere: the claims, the Services by
// which the database is reached, the ConfigMaps and Secrets that the workload refers to, and the workload.
func (d Dataset) Surroundings(ctx context.Context, workload sluice.Object) ([]sluice.Object, error) {
	refs := references(workload)
	services, err := d.services(ctx)
	if err != nil {
		return nil, err
	}
	if governing := workload.Text("spec", "serviceName"); governing != "" {
		services = append(services, governing)
	}
	for _, name := range services {
		refs = append(refs, sluice.Ref{APIVersion: "v1", Kind: "Service", Name: name})
	}
	for _, claim := range d.Spec.Claims {
		refs = append(refs, claimRef("", claim))
	}
	var list []sluice.Object
	seen := map[sluice.Ref]bool{}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		ref.Namespace = d.Place.Namespace
		o, err := d.get(ctx, ref)
		if err != nil {
			return nil, err
		}
		if o != nil {
			list = append(list, bare(o))
		}
	}
	if workload != nil {
		list = append(list, bare(workload))
	}
	return manifest.Order(list), nil
}

// references returns the ConfigMaps and Secrets that a pod of the workload needs.
func references(workload sluice.Object) []sluice.Ref {
	pod, _ := workload.Field("spec", "template", "spec").(map[string]any)
	var refs []sluice.Ref
	add := func(kind string, from any, key string) {
		m, _ := from.(map[string]any)
		if name, _ := m[key].(string); name != "" {
			refs = append(refs, sluice.Ref{APIVersion: "v1", Kind: kind, Name: name})
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				switch key {
				case "configMap", "configMapRef", "configMapKeyRef":
					add("ConfigMap", v[key], "name")
				case "secretRef", "secretKeyRef":
					add("Secret", v[key], "name")
				case "imagePullSecrets":
					for _, s := range sluice.Object(v).List(key) {
						add("Secret", map[string]any(s), "name")
					}
				case "secret":
					add("Secret", v[key], "secretName")
					add("Secret", v[key], "name") // in a projected volume
				default:
					walk(v[key])
				}
			}
		}
	}
	walk(pod)
	return refs
}

// bare returns the object without the fields that its cluster added, so that it can be applied anywhere.
func bare(o sluice.Object) sluice.Object {
	b := o.Clone()
	delete(b, "status")
	kept := map[string]any{}
	for _, field := range []string{"name", "namespace", "labels", "annotations"} {
		if v := o.Field("metadata", field); v != nil {
			kept[field] = v
		}
	}
	b["metadata"] = map[string]any(sluice.Object(kept).Clone())
	if notes, ok := b.Field("metadata", "annotations").(map[string]any); ok {
		maps.DeleteFunc(notes, func(k string, _ any) bool {
			owner, _, _ := strings.Cut(k, "/")
			return owner == "deployment.kubernetes.io" || owner == "kubectl.kubernetes.io" || owner == "pv.kubernetes.io"
		})
		if len(notes) == 0 {
			delete(b["metadata"].(map[string]any), "annotations")
		}
	}
	spec, _ := b["spec"].(map[string]any)
	switch b.Text("kind") {
	case "PersistentVolumeClaim":
		delete(spec, "volumeName")
	case "Service":
		bareService(spec)
	}
	return b
}

// unplaced removes what ties a claim to the volumes and nodes of its own place.
func unplaced(claim sluice.Object) {
	spec, _ := claim["spec"].(map[string]any)
	for _, field := range []string{"dataSource", "dataSourceRef", "selector"} {
		delete(spec, field)
	}
	notes, _ := claim.Field("metadata", "annotations").(map[string]any)
	maps.DeleteFunc(notes, func(k string, _ any) bool {
		owner, _, _ := strings.Cut(k, "/")
		return owner == "volume.kubernetes.io" || owner == "volume.beta.kubernetes.io"
	})
}

func bareService(spec map[string]any) {
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	for _, field := range []string{"healthCheckNodePort", "ipFamilies", "ipFamilyPolicy", "loadBalancerIP"} {
		delete(spec, field)
	}
	for _, p := range sluice.Object(spec).List("ports") {
		delete(p, "nodePort")
	}
}

// listOf returns objects as a checkpoint keeps them: with the values of Secrets sealed.
func (d Dataset) listOf(objects []sluice.Object) (sluice.Object, error) {
	if err := d.seal(objects, manifest.SealSecrets); err != nil {
		return nil, err
	}
	items := make([]any, len(objects))
	for i, o := range objects {
		items[i] = map[string]any(o)
	}
	return sluice.Object{"apiVersion": "v1", "kind": "List", "items": items}, nil
}

// Kept returns the objects of a checkpoint, moved to the namespace of d, and the workload among them.
func (d Dataset) Kept(c sluice.Checkpoint) (all []sluice.Object, workload sluice.Object, err error) {
	for _, item := range c.Workload.List("items") {
		o := item.Clone()
		o.Set(d.Place.Namespace, "metadata", "namespace")
		if o.Text("kind") == "PersistentVolumeClaim" {
			unplaced(o)
		}
		all = append(all, o)
		if d.Spec.Workload != "" && o.Ref().String() == d.Spec.Workload {
			workload = o
		}
	}
	return all, workload, d.seal(all, manifest.OpenSecrets)
}

func (d Dataset) seal(objects []sluice.Object, change func([]sluice.Object, sluice.Sealer) error) error {
	if !slices.ContainsFunc(objects, func(o sluice.Object) bool { return o.Text("kind") == "Secret" }) {
		return nil
	}
	if d.Sealer == nil {
		return sluice.Errorf(sluice.Internal, "the workload needs Secrets, and nothing here can seal them")
	}
	return change(objects, d.Sealer)
}

// ImageOf returns the image of the workload's first container.
func ImageOf(workload sluice.Object) string {
	containers := workload.List("spec", "template", "spec", "containers")
	if len(containers) == 0 {
		return ""
	}
	return containers[0].Text("image")
}
