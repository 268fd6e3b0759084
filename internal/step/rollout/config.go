package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/sluice-cd/sluice"
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
