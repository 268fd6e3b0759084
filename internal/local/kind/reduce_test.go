package kind_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

func TestReduce(t *testing.T) {
	for name, test := range map[string]struct {
		in, want string
		left     []string
		code     sluice.Code
	}{
		"nothing to leave out": {
			in:   `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n"},"data":{"k":"v"}}`,
			want: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n"},"data":{"k":"v"}}`,
		},
		"values and whole branches": {
			in: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},
				"spec":{"sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":5}},
				"selector":{"a":"b"},"ports":[{"port":1,"protocol":"TCP"},{"port":2,"protocol":"UDP"}]}}`,
			want: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},
				"spec":{"selector":{"a":"b"},"ports":[{"port":1,"protocol":"TCP"},{"port":2}]}}`,
			left: []string{"spec.ports[1].protocol", "spec.sessionAffinity", "spec.sessionAffinityConfig"},
		},
		"what a cluster refuses": {in: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"portz":[]}}`,
			code: sluice.Invalid},
		"another kind": {in: `{"apiVersion":"example.com/v1","kind":"Gadget","metadata":{"name":"a"}}`,
			code: sluice.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			got, left, err := kind.Reduce(object(t, test.in))
			if sluice.ErrorCode(err) != test.code {
				t.Fatal(err)
			}
			if test.code != "" {
				return
			}
			if diff := cmp.Diff(object(t, test.want), got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.left, left); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func object(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o sluice.Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}
