package kind

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Reduce returns the object without the fields that the local account does not support, and their paths. What
// Kubernetes would refuse is Invalid; a kind that the local account does not support is Unsupported.
func Reduce(o sluice.Object) (reduced sluice.Object, left []string, err error) {
	ref := o.Ref()
	k, err := Find(ref.APIVersion, ref.Kind)
	if err != nil {
		return nil, nil, err
	}
	// The values of a Secret may be sealed; then they are not base64.
	if k.Name != "Secret" {
		if _, err := k.decode(o); err != nil {
			return nil, nil, err
		}
	}
	r := reducer{}
	v, _ := r.reduce(map[string]any(o.Clone()), "", parsePatterns(k.fields))
	return sluice.Object(v.(map[string]any)), r.left, nil
}

// Runs reports whether the local account supports the kind.
func Runs(apiVersion, name string) bool {
	_, err := Find(apiVersion, name)
	return err == nil
}

func parsePatterns(patterns string) [][]string {
	var all [][]string
	for p := range strings.FieldsSeq(patterns) {
		all = append(all, strings.Split(p, "."))
	}
	return all
}

type reducer struct{ left []string }

// reduce returns the supported part of the value; keep is false if there is none.
func (r *reducer) reduce(v any, path string, allowed [][]string) (reduced any, keep bool) {
	if empty(v) || slices.ContainsFunc(allowed, allowsAll) {
		return v, true
	}
	if len(allowed) == 0 {
		r.left = append(r.left, path)
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		return r.reduceMap(v, path, allowed)
	case []any:
		kept := make([]any, 0, len(v))
		for i, e := range v {
			if e, keep := r.reduce(e, fmt.Sprintf("%s[%d]", path, i), allowed); keep {
				kept = append(kept, e)
			}
		}
		return kept, len(kept) > 0
	}
	if walkLeaf(v, path, allowed) != "" {
		r.left = append(r.left, path)
		return nil, false
	}
	return v, true
}

func (r *reducer) reduceMap(m map[string]any, path string, allowed [][]string) (any, bool) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v, keep := r.reduce(m[k], strings.TrimPrefix(path+"."+k, "."), below(allowed, k))
		if !keep {
			delete(m, k)
			continue
		}
		m[k] = v
	}
	return m, len(m) > 0
}

func allowsAll(p []string) bool { return len(p) == 0 || len(p) == 1 && p[0] == "**" }

// below returns the rest of the patterns that begin with the key.
func below(allowed [][]string, key string) [][]string {
	var rest [][]string
	for _, p := range allowed {
		if len(p) == 0 {
			continue
		}
		name, value, hasValue := strings.Cut(p[0], "=")
		if name != key {
			continue
		}
		if hasValue {
			rest = append(rest, []string{"=" + value})
			continue
		}
		rest = append(rest, p[1:])
	}
	return rest
}
