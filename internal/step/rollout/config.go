package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// configAnnotation holds, on a pod template, the digest of the ConfigMaps and Secrets that the pods use.
const configAnnotation = "sluice-cd.github.io/config"

// podWorkloads are the kinds that keep pods running; podMakers are all that make pods.
var (
	podWorkloads = []string{"Deployment", "StatefulSet", "DaemonSet"}
	podMakers    = append(slices.Clone(podWorkloads), "Job", "CronJob", "Pod")
)

// stampConfig annotates each workload's pod template with the content of the target's ConfigMaps and Secrets
// that it uses.
func stampConfig(objects []sluice.Object) error {
	config := object.OfKind(objects, "ConfigMap", "Secret")
	for _, w := range object.OfKind(objects, podWorkloads...) {
		var used []sluice.Object
		for _, c := range config {
			if uses(w, c) {
				used = append(used, sluice.Object{"ref": c.Ref().String(),
					"data": c["data"], "stringData": c["stringData"], "binaryData": c["binaryData"]})
			}
		}
		if len(used) == 0 {
			continue
		}
		sum, err := digest(used)
		if err != nil {
			return err
		}
		w.Set(sum, "spec", "template", "metadata", "annotations", configAnnotation)
	}
	return nil
}

func digest(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the configuration cannot be written as JSON: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:5]), nil
}

// usedOnlyBy returns the ConfigMaps and Secrets that only the given Deployments use: the stable pods keep the old ones
// until promotion.
func usedOnlyBy(deployments, objects []sluice.Object) []sluice.Object {
	var list []sluice.Object
	for _, c := range object.OfKind(objects, "ConfigMap", "Secret") {
		used, others := false, false
		for _, w := range object.OfKind(objects, podMakers...) {
			if uses(w, c) {
				used, others = true, others || !contains(deployments, w.Ref())
			}
		}
		if used && !others {
			list = append(list, c)
		}
	}
	return list
}

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

// bindVersions makes the versions of the configuration that the canary uses belong to its replica set too, if the
// account has replica sets. So they are deleted with the last replica set that uses them.
func (s *apply) bindVersions(ctx context.Context, objects []sluice.Object, canary sluice.Object, set string) error {
	var owner sluice.Object
	for _, c := range object.OfKind(objects, "ConfigMap", "Secret") {
		v, err := versionOf(c, s.sc.Deployment)
		if err != nil {
			return err
		}
		if !uses(canary, v) {
			continue
		}
		if owner == nil {
			ref := canary.Ref()
			ref.Kind, ref.Name = "ReplicaSet", set
			if owner, err = object.Get(ctx, s.account, ref); err != nil || owner == nil {
				return err
			}
		}
		if err := s.bind(ctx, v, owner); err != nil {
			return err
		}
	}
	return nil
}

// deleteUnused deletes those versions that the Deployment used as it was, that belong to nothing else, and that no
// Deployment uses now.
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
			isVersion := v.Text("metadata", "annotations", delivery.MadeBy) != ""
			if !isVersion || len(v.List("metadata", "ownerReferences")) > 0 {
				continue
			}
			if err := object.Delete(ctx, t.account, ref); err != nil {
				return err
			}
		}
	}
	return nil
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

// bind adds the owner to those of the version, and keeps who made it.
func (s *apply) bind(ctx context.Context, v, owner sluice.Object) error {
	now, err := object.Get(ctx, s.account, v.Ref())
	if err != nil || now == nil {
		return err
	}
	owners, _ := now.Field("metadata", "ownerReferences").([]any)
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
	_, _, err = object.Apply(ctx, s.account, v)
	return err
}

// uses reports whether the pods of the workload, a Job or Pod too, name the ConfigMap or Secret.
func uses(workload, config sluice.Object) bool {
	if !sameNamespace(workload, config) {
		return false
	}
	found := false
	eachConfigName(workload.Field("spec"), config.Text("kind"), func(holder map[string]any, key string) {
		found = found || holder[key] == config.Text("metadata", "name")
	})
	return found
}

// rename makes the workload's pods use the ConfigMap or Secret of the new name.
func rename(workload sluice.Object, kind, from, to string) {
	eachConfigName(workload.Field("spec", "template", "spec"), kind, func(holder map[string]any, key string) {
		if holder[key] == from {
			holder[key] = to
		}
	})
}

// nameKeys are, for each kind, the fields that hold a reference and the keys that its name may have in it. A projected
// volume calls a Secret's name "name".
var nameKeys = map[string]map[string][]string{
	"ConfigMap": {"configMapKeyRef": {"name"}, "configMapRef": {"name"}, "configMap": {"name"}},
	"Secret":    {"secretKeyRef": {"name"}, "secretRef": {"name"}, "secret": {"secretName", "name"}},
}

// eachConfigName finds every reference to an object of the kind: in env, envFrom, volumes and projected volumes.
func eachConfigName(v any, kind string, found func(holder map[string]any, key string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			eachConfigName(e, kind, found)
		}
	case map[string]any:
		for field, e := range v {
			holder, _ := e.(map[string]any)
			for _, key := range nameKeys[kind][field] {
				if _, ok := holder[key].(string); ok {
					found(holder, key)
				}
			}
			eachConfigName(e, kind, found)
		}
	}
}
