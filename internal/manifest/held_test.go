package manifest

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestHeldBack(t *testing.T) {
	of := func(finalizers ...any) sluice.Object {
		return sluice.Object{"metadata": map[string]any{"finalizers": finalizers}}
	}
	namespace := sluice.Object{
		"spec": map[string]any{"finalizers": []any{"kubernetes"}},
		"status": map[string]any{"conditions": []any{
			map[string]any{"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1\n  instances."},
			map[string]any{"type": "NamespaceDeletionContentFailure", "status": "False", "message": "all are deleted"},
		}},
	}
	for name, test := range map[string]struct {
		object sluice.Object
		want   string
	}{
		"nothing": {of(), ""},
		"one":     {of("example.com/never"), "it waits for the finalizer example.com/never"},
		"several": {of("a", "b"), "it waits for the finalizers a, b"},
		"its own": {of("foregroundDeletion"), "it waits for the end of what belongs to it"},
		"its own and a": {of("a", "foregroundDeletion"),
			"it waits for the end of what belongs to it; it waits for the finalizer a"},
		"namespace": {namespace, "it waits for the finalizer kubernetes; pods. has 1 instances"},
	} {
		if got := HeldBack(test.object); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
