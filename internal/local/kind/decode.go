package kind

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
)

// A Kind is a kind that the local account supports.
type Kind struct {
	APIVersion string
	Name       string
	make       func() any
	fields     string // patterns of the fields that are supported or harmless
	check      func(any) error
}

var kinds = []Kind{
	{"v1", "Namespace", func() any { return new(corev1.Namespace) }, namespaceFields, nil},
	{"v1", "ConfigMap", func() any { return new(corev1.ConfigMap) }, configMapFields, nil},
	{"v1", "Secret", func() any { return new(corev1.Secret) }, secretFields, nil},
	{"v1", "PersistentVolumeClaim", func() any { return new(corev1.PersistentVolumeClaim) }, claimFields, nil},
	{"v1", "Service", func() any { return new(corev1.Service) }, serviceFields, checkService},
	{"apps/v1", "Deployment", func() any { return new(appsv1.Deployment) }, deploymentFields, checkDeployment},
	{"apps/v1", "StatefulSet", func() any { return new(appsv1.StatefulSet) }, statefulSetFields, checkStatefulSet},
	{"batch/v1", "Job", func() any { return new(batchv1.Job) }, jobFields, checkJob},
}

// Names lists the kinds.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return names
}

// Find returns the kind of that name, or Unsupported.
func Find(apiVersion, name string) (Kind, error) {
	i := slices.IndexFunc(kinds, func(k Kind) bool {
		return k.Name == name && (apiVersion == k.APIVersion || apiVersion == "")
	})
	if i < 0 {
		e := sluice.Errorf(sluice.Unsupported, "the local account does not support %s of %s", name, apiVersion).
			WithHint("it supports %s; deploy the rest to a Kubernetes account", strings.Join(Names(), ", "))
		e.Field = "kind"
		return Kind{}, e
	}
	return kinds[i], nil
}

// Decode returns the object as its Kubernetes type. Unknown fields are Invalid; fields that are not
// supported are Unsupported and named by their path.
func Decode(o sluice.Object) (any, error) {
	ref := o.Ref()
	k, err := Find(ref.APIVersion, ref.Kind)
	if err != nil {
		return nil, err
	}
	if err := checkNames(ref); err != nil {
		return nil, err
	}
	typed, err := k.decode(o)
	if err != nil {
		return nil, err
	}
	if path := unsupported(o, k.fields); path != "" {
		return nil, Unsupported(ref, path)
	}
	if k.check != nil {
		err = k.check(typed)
	}
	return typed, err
}

// Restore returns an object that was accepted before as its Kubernetes type. It does not check the object again.
func Restore(o sluice.Object) (any, error) {
	k, err := Find(o.Ref().APIVersion, o.Ref().Kind)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	typed := k.make()
	return typed, kjson.UnmarshalCaseSensitivePreserveInts(b, typed)
}

func (k Kind) decode(o sluice.Object) (any, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%s cannot be written as JSON: %w", o.Ref(), err)
	}
	typed := k.make()
	strict, err := kjson.UnmarshalStrict(b, typed)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%s is not valid: %w", o.Ref(), err)
	}
	if len(strict) > 0 {
		return nil, sluice.Errorf(sluice.Invalid, "%s is not valid: %v", o.Ref(), strict[0]).
			WithHint("compare the manifest with the Kubernetes reference of %s", k.Name)
	}
	return typed, nil
}

// Unsupported returns the error for a field that the local account does not support.
func Unsupported(ref sluice.Ref, path string) error {
	e := sluice.Errorf(sluice.Unsupported, "the local account does not support %s of %s", path, ref).
		WithHint("leave the field out for this target, or deploy to a Kubernetes account; docs/local.md lists the fields")
	e.Field = path
	return e
}

// Namespaced reports whether objects of the kind live in a namespace.
func Namespaced(name string) bool { return name != "Namespace" }

func checkNames(ref sluice.Ref) error {
	if wrong := validation.IsDNS1123Subdomain(ref.Name); len(wrong) > 0 {
		return sluice.Errorf(sluice.Invalid, "%q is not a name that a %s may have: %s", ref.Name, ref.Kind, wrong[0])
	}
	if !Namespaced(ref.Kind) {
		return nil
	}
	if wrong := validation.IsDNS1123Label(ref.Namespace); len(wrong) > 0 {
		return sluice.Errorf(sluice.Invalid, "%q is not a namespace for %s: %s", ref.Namespace, ref, wrong[0])
	}
	return nil
}

// unsupported returns the path of the first field that no pattern allows, "" if there is none.
func unsupported(o sluice.Object, patterns string) string {
	return walk(map[string]any(o), "", parsePatterns(patterns))
}

// walk follows the patterns that still match down the value.
func walk(v any, path string, allowed [][]string) string {
	if empty(v) {
		return ""
	}
	for _, p := range allowed {
		if len(p) == 0 || len(p) == 1 && p[0] == "**" {
			return ""
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return walkMap(v, path, allowed)
	case []any:
		for i, e := range v {
			if bad := walk(e, fmt.Sprintf("%s[%d]", path, i), allowed); bad != "" {
				return bad
			}
		}
		return ""
	}
	return walkLeaf(v, path, allowed)
}

func walkMap(m map[string]any, path string, allowed [][]string) string {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		field, rest := strings.TrimPrefix(path+"."+k, "."), below(allowed, k)
		bad := walk(m[k], field, rest)
		if bad != "" && len(rest) == 0 {
			return field // nothing below it is supported
		}
		if bad != "" {
			return bad
		}
	}
	return ""
}

func walkLeaf(v any, path string, allowed [][]string) string {
	for _, p := range allowed {
		values, ok := strings.CutPrefix(p[0], "=")
		if ok && slices.Contains(strings.Split(values, "|"), fmt.Sprint(v)) {
			return ""
		}
	}
	return path
}

// empty values mean what an absent field means.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	}
	return false
}
