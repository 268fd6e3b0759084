package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func TestSetImages(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, test := range []struct{ image, name, to, want string }{
		{"web", "web", "2", "web:2"},
		{"web:1", "web", "2", "web:2"},
		{"example.com:5000/web", "example.com:5000/web", "2", "example.com:5000/web:2"},
		{"example.com:5000/web:1@" + digest, "example.com:5000/web", "v3", "example.com:5000/web:v3"},
		{"web:1", "web", digest, "web@" + digest},
		{"web:1", "web", "example.com/shop/web:2", "example.com/shop/web:2"},
		{"example.com/web:1", "web", "2", "example.com/web:1"}, // another image
		{"website:1", "web", "2", "website:1"},
	} {
		pod := func(image string) map[string]any {
			container := map[string]any{"name": "c", "image": image}
			return map[string]any{"containers": []any{container}, "initContainers": []any{map[string]any{
				"name": "i", "image": image}}}
		}
		for kind, nest := range map[string]func(any) map[string]any{
			"Pod":        func(spec any) map[string]any { return map[string]any{"spec": spec} },
			"Deployment": func(spec any) map[string]any { return nested(spec, "spec", "template", "spec") },
			"CronJob": func(spec any) map[string]any {
				return nested(spec, "spec", "jobTemplate", "spec", "template", "spec")
			},
		} {
			o := sluice.Object(nest(pod(test.image)))
			found := SetImages(o, map[string]string{test.name: test.to})
			if diff := cmp.Diff(sluice.Object(nest(pod(test.want))), o); diff != "" {
				t.Errorf("%s of a %s: %s", test.image, kind, diff)
			}
			if changed := test.image != test.want; changed != (len(found) == 2) {
				t.Errorf("%s of a %s: found %v", test.image, kind, found)
			}
		}
	}
}

func nested(v any, path ...string) map[string]any {
	for i := len(path) - 1; i > 0; i-- {
		v = map[string]any{path[i]: v}
	}
	return map[string]any{path[0]: v}
}
