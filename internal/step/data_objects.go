package step

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// workload returns the dataset's workload as it is, nil if the dataset has none or it does not exist.
func (s dataset) workload(ctx context.Context, at place) (sluice.Object, error) {
	if s.spec.Workload == "" {
		return nil, nil
	}
	ref, err := sluice.ParseRef(s.spec.Workload, at.namespace)
	if err != nil {
		return nil, err
	}
	return getOrNil(ctx, at.account, ref)
}

func getOrNil(ctx context.Context, a sluice.Account, ref sluice.Ref) (sluice.Object, error) {
	o, err := a.Get(ctx, ref)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	return o, err
}

func claimRef(namespace, claim string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim}
}

// surroundings returns everything that is needed to open the data again elsewhere: the claims, the Services by
// which the database is reached, the ConfigMaps and Secrets that the workload refers to, and the workload.
func (s dataset) surroundings(ctx context.Context, at place, workload sluice.Object) ([]sluice.Object, error) {
	refs := s.references(workload)
	services, err := s.services(ctx)
	if err != nil {
		return nil, err
	}
	if governing := workload.Text("spec", "serviceName"); governing != "" {
		services = append(services, governing)
	}
	for _, name := range services {
		refs = append(refs, sluice.Ref{APIVersion: "v1", Kind: "Service", Name: name})
	}
	for _, claim := range s.spec.Claims {
		refs = append(refs, claimRef("", claim))
	}
	var list []sluice.Object
	seen := map[sluice.Ref]bool{}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		ref.Namespace = at.namespace
		o, err := getOrNil(ctx, at.account, ref)
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
func (s dataset) references(workload sluice.Object) []sluice.Ref {
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

// bare returns the object without what only its own cluster gave it, so that it can be applied anywhere.
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
			return strings.HasPrefix(k, "deployment.kubernetes.io/") || strings.HasPrefix(k, "kubectl.kubernetes.io/") || strings.HasPrefix(k, "pv.kubernetes.io/")
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

func bareService(spec map[string]any) {
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	for _, field := range []string{"healthCheckNodePort", "ipFamilies", "ipFamilyPolicy", "loadBalancerIP"} {
		delete(spec, field)
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if m, ok := p.(map[string]any); ok {
			delete(m, "nodePort")
		}
	}
}

// listOf keeps objects in a checkpoint. The values of Secrets are sealed.
func (s dataset) listOf(objects []sluice.Object) (sluice.Object, error) {
	if err := s.seal(objects, manifest.SealSecrets); err != nil {
		return nil, err
	}
	items := make([]any, len(objects))
	for i, o := range objects {
		items[i] = map[string]any(o)
	}
	return sluice.Object{"apiVersion": "v1", "kind": "List", "items": items}, nil
}

// kept returns the objects of a checkpoint, moved to the namespace, and the workload among them.
func (s dataset) kept(c sluice.Checkpoint, namespace string) (all []sluice.Object, workload sluice.Object, err error) {
	items, _ := c.Workload["items"].([]any)
	for _, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		o := sluice.Object(m).Clone()
		o.Set(namespace, "metadata", "namespace")
		all = append(all, o)
		if s.spec.Workload != "" && o.Ref().String() == s.spec.Workload {
			workload = o
		}
	}
	return all, workload, s.seal(all, manifest.OpenSecrets)
}

func (s dataset) seal(objects []sluice.Object, change func([]sluice.Object, sluice.Sealer) error) error {
	if !slices.ContainsFunc(objects, func(o sluice.Object) bool { return o.Text("kind") == "Secret" }) {
		return nil
	}
	if s.deps.Sealer == nil {
		return sluice.Errorf(sluice.Internal, "the workload needs Secrets, and nothing here can seal them")
	}
	return change(objects, s.deps.Sealer)
}

// imageOf returns the image of the workload's first container.
func imageOf(workload sluice.Object) string {
	containers, _ := workload.Field("spec", "template", "spec", "containers").([]any)
	if len(containers) == 0 {
		return ""
	}
	m, _ := containers[0].(map[string]any)
	return sluice.Object(m).Text("image")
}

// begin applies the workload and returns once it is ready.
func (s dataset) begin(ctx context.Context, at place, workload sluice.Object) error {
	if _, _, err := at.account.Apply(ctx, workload, false); err != nil {
		return err
	}
	w := s.deps.Waiter(s.sc, at.account, s.deps.Now().Add(s.timeout()))
	ref := workload.Ref()
	ref.Namespace = at.namespace
	return w.Ready(ctx, []sluice.Ref{ref})
}

// end deletes the workload and returns once its last pod is gone, so that its volumes are free.
func (s dataset) end(ctx context.Context, at place) error {
	if s.spec.Workload == "" {
		return nil
	}
	ref, err := sluice.ParseRef(s.spec.Workload, at.namespace)
	if err != nil {
		return err
	}
	return at.account.Delete(ctx, ref)
}
