package rollout

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// ConfigMaps and Secrets that change with a release have versions: the stable pods use the old one until promotion, and
// the new pods use the new one for good.

// versionOf returns a copy of the ConfigMap or Secret with a name that is derived from its content. The pods of a
// canary use it, and go on to use it when they are adopted.
func versionOf(config sluice.Object, id sluice.DeploymentID) (sluice.Object, error) {
	sum, err := digest(config)
	if err != nil {
		return nil, err
	}
	c, ref := config.Clone(), config.Ref()
	c["metadata"] = map[string]any{}
	c.Set(ref.Name+"-"+sum, "metadata", "name")
	if ref.Namespace != "" {
		c.Set(ref.Namespace, "metadata", "namespace")
	}
	c.Set(string(id), "metadata", "annotations", delivery.MadeBy)
	return c, nil
}

// useVersions makes the Deployment use those versions of its configuration that the pods of like use, if their content
// is what the objects declare. So pods do not change because they use a version under another name.
func useVersions(deployment, like sluice.Object, objects []sluice.Object) {
	for _, c := range object.OfKind(objects, "ConfigMap", "Secret") {
		v, err := versionOf(c, "")
		if err == nil && uses(like, v) {
			rename(deployment, c.Text("kind"), c.Text("metadata", "name"), v.Text("metadata", "name"))
		}
	}
}

// useVersions makes the Deployments use the versions that the pods of their canaries use or, if there are no canaries,
// their own pods.
func (t tracks) useVersions(ctx context.Context) error {
	for _, o := range object.OfKind(t.objects, "Deployment") {
		like, err := object.Get(ctx, t.account, delivery.CanaryOf(o.Ref()))
		if err == nil && like == nil {
			like, err = object.Get(ctx, t.account, o.Ref())
		}
		if err != nil {
			return err
		}
		if like != nil {
			useVersions(o, like, t.objects)
		}
	}
	return nil
}

// bindVersions makes the versions of the configuration that the Deployment uses belong to the owner too, if it exists:
// the replica set of a canary, and after promotion the Deployment itself, which may get replica sets from others. So
// they are deleted with the last of them.
func (t target) bindVersions(
	ctx context.Context, objects []sluice.Object, deployment sluice.Object, owner sluice.Ref,
) error {
	var by sluice.Object
	for _, c := range object.OfKind(objects, "ConfigMap", "Secret") {
		v, err := versionOf(c, t.sc.Deployment)
		if err != nil {
			return err
		}
		if !uses(deployment, v) {
			continue
		}
		if by == nil {
			if by, err = object.Get(ctx, t.account, owner); err != nil || by == nil {
				return err
			}
		}
		if err := t.bind(ctx, v, by); err != nil {
			return err
		}
	}
	return nil
}

// deleteUnused gives up those versions that the Deployment used as it was and that no Deployment uses now.
func (t target) deleteUnused(ctx context.Context, objects []sluice.Object, was sluice.Object) error {
	var now []sluice.Object
	for _, o := range object.OfKind(objects, "Deployment") {
		live, err := object.Get(ctx, t.account, o.Ref())
		if err != nil {
			return err
		}
		now = append(now, live)
	}
	for kind := range nameKeys {
		for _, name := range configNames(was, kind) {
			ref := sluice.Ref{APIVersion: "v1", Kind: kind, Namespace: was.Ref().Namespace, Name: name}
			if slices.ContainsFunc(now, func(o sluice.Object) bool { return slices.Contains(configNames(o, kind), name) }) {
				continue
			}
			v, err := object.Get(ctx, t.account, ref)
			if err != nil {
				return err
			}
			if v.Text("metadata", "annotations", delivery.MadeBy) == "" {
				continue
			}
			if err := t.unbind(ctx, v, was.Ref()); err != nil {
				return err
			}
		}
	}
	return nil
}

// unbind takes the Deployment from the owners of the version, and deletes the version if it has no others.
func (t target) unbind(ctx context.Context, v sluice.Object, deployment sluice.Ref) error {
	owners, _ := v.Field("metadata", "ownerReferences").([]any)
	others := slices.DeleteFunc(slices.Clone(owners), func(r any) bool {
		owner, _ := r.(map[string]any)
		return owner["kind"] == deployment.Kind && owner["name"] == deployment.Name
	})
	switch len(others) {
	case 0:
		return object.Delete(ctx, t.account, v.Ref())
	case len(owners):
		return nil
	}
	v = object.Wanted(v)
	v.Set(others, "metadata", "ownerReferences")
	_, _, err := object.Apply(ctx, t.account, v)
	return err
}

// configNames returns the names of the ConfigMaps or Secrets that the workload's pods use.
func configNames(workload sluice.Object, kind string) []string {
	var names []string
	eachConfigName(workload.Field("spec", "template", "spec"), kind, func(holder map[string]any, key string) {
		if name := holder[key].(string); !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// bind adds the owner to those of the version, and keeps who made it. A version that belongs to no replica set is
// deleted by Sluice alone, so it gets no other owner.
func (t target) bind(ctx context.Context, v, owner sluice.Object) error {
	now, err := object.Get(ctx, t.account, v.Ref())
	if err != nil || now == nil {
		return err
	}
	owners, _ := now.Field("metadata", "ownerReferences").([]any)
	if len(owners) == 0 && owner.Text("kind") != "ReplicaSet" {
		return nil
	}
	if slices.ContainsFunc(now.List("metadata", "ownerReferences"), func(r sluice.Object) bool {
		return r.Text("uid") == owner.Text("metadata", "uid")
	}) {
		return nil
	}
	ref := owner.Ref()
	v.Set(append(slices.Clone(owners), map[string]any{
		"apiVersion": ref.APIVersion, "kind": ref.Kind, "name": ref.Name, "uid": owner.Text("metadata", "uid"),
	}), "metadata", "ownerReferences")
	v.Set(now.Text("metadata", "annotations", delivery.MadeBy), "metadata", "annotations", delivery.MadeBy)
	_, _, err = object.Apply(ctx, t.account, v)
	return err
}
