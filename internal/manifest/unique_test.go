package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

func document(line int, part, apiVersion, kind, namespace string) manifest.Document {
	o := object(apiVersion, kind, "a")
	if namespace != "" {
		o.Set(namespace, "metadata", "namespace")
	}
	return manifest.Document{Object: o, Pos: sluice.Position{File: "m.yaml", Line: line, Column: 1}, Part: part}
}

// Equal copies are one object; different objects cannot have one identity.
func TestUnique(t *testing.T) {
	other := document(8, "line 3 of k", "v1", "Service", "")
	other.Object.Set("b", "metadata", "labels", "a")
	kept, ds := manifest.Unique([]manifest.Document{
		document(1, "", "apps/v1", "Deployment", ""),
		document(2, "", "v1", "Service", ""),
		document(3, "", "apps/v1beta1", "Deployment", ""),
		document(4, "", "example.com/v1", "Service", ""),
		document(5, "", "v1", "Service", "elsewhere"),
		document(6, "", "v1", "Service", ""),
		document(7, "", "apps/v1", "Deployment", "default"),
		other,
		document(9, "", "v1", "Namespace", "x"),
		document(10, "", "v1", "Namespace", "y"),
	})
	if len(kept) != 5 {
		t.Errorf("kept %v", names(manifest.Objects(kept)))
	}
	want := []string{
		"m.yaml:3:1: error: Deployment/a is also at m.yaml:1:1, with other content [duplicate-object]",
		"m.yaml:6:1: warning: Service/a is also at m.yaml:2:1, with the same content [duplicate-object]",
		"m.yaml:7:1: error: Deployment/a is also at m.yaml:1:1, with other content [duplicate-object]",
		"m.yaml:8:1: error: line 3 of k: Service/a is also at m.yaml:2:1, with other content [duplicate-object]",
		"m.yaml:10:1: error: Namespace/a is also at m.yaml:9:1, with other content [duplicate-object]",
	}
	var got []string
	for _, d := range ds {
		got = append(got, d.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
