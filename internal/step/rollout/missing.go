package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/refusal"
)

// A use is a field of a workload by which its pods need another object.
type use struct {
	of    sluice.Ref
	field string
}

// checkUses finds objects that the pods of a workload need and that nobody brings, so that no pod could start. Where
// others write too, they may bring such an object at any time.
func (s *apply) checkUses(ctx context.Context, objects []sluice.Object, f finding) error {
	w := f.declared
	if s.account.Writers != nil || f.outcome == sluice.Unchanged || !slices.Contains(podMakers, w.Text("kind")) {
		return nil
	}
	var missing []error
	for _, u := range usesOf(w) {
		if contains(objects, u.of) || u.of.Kind == "PersistentVolumeClaim" && s.isRehearsed() {
			continue
		}
		there, err := object.Get(ctx, s.account, u.of)
		if err != nil {
			return err
		}
		if there != nil {
			continue
		}
		e := sluice.Errorf(sluice.NotFound, "%s does not exist in the namespace %s, so no pod of %s can start",
			u.of, u.of.Namespace, w.Ref()).WithHint("add it to the manifests, or correct the name")
		e.Field = u.field
		if refusal.Unknown(s.sc, u.of, e) == "" {
			missing = append(missing, refusal.Object{Ref: w.Ref(), Place: s.spec.Places[w.Ref()]}.At(e))
		}
	}
	return errors.Join(missing...)
}

// isRehearsed reports whether missing claims are made: see the account of a rehearsal.
func (s *apply) isRehearsed() bool { return s.sc.Plan != nil && s.sc.Plan.Rehearsal != nil }

// usesOf returns what the pods of the workload cannot start without: ConfigMaps, Secrets and claims.
func usesOf(workload sluice.Object) (list []use) {
	namespace := workload.Text("metadata", "namespace")
	walk("spec", workload.Field("spec"), func(field string, o sluice.Object) {
		if o["optional"] == true {
			return
		}
		of, at := sluice.Ref{APIVersion: "v1", Namespace: namespace}, "name"
		switch field[strings.LastIndexByte(field, '.')+1:] {
		case "configMapKeyRef", "configMapRef", "configMap":
			of.Kind = "ConfigMap"
		case "secretKeyRef", "secretRef":
			of.Kind = "Secret"
		case "secret":
			of.Kind, at = "Secret", "secretName"
		case "persistentVolumeClaim":
			of.Kind, at = "PersistentVolumeClaim", "claimName"
		}
		if of.Name = o.Text(at); of.Kind != "" && of.Name != "" {
			list = append(list, use{of, field + "." + at})
		}
	})
	return list
}

// walk calls found with every object below the value and its path.
func walk(path string, v any, found func(path string, o sluice.Object)) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			walk(fmt.Sprintf("%s[%d]", path, i), e, found)
		}
	case map[string]any:
		found(path, v)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			walk(path+"."+key, v[key], found)
		}
	}
}
