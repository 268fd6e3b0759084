package kind_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// If nothing below a field is supported, the error names that field, and not the first value below it.
func TestDecodeNamesTheFieldThatIsNotSupported(t *testing.T) {
	const pod = "spec.template.spec.containers[0]."
	for field, want := range map[string]string{
		`"lifecycle": {"postStart": {"exec": {"command": ["true"]}}}`: pod + "lifecycle.postStart",
		`"livenessProbe": {"grpc": {"port": 1}}`:                      pod + "livenessProbe.grpc",
		`"ports": [{"containerPort": 1, "protocol": "UDP"}]`:          pod + "ports[0].protocol",
		`"securityContext": {"seLinuxOptions": {"level": ""}}`:        "",
	} {
		_, err := kind.Decode(object(t, fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": {"name": "a", "namespace": "n"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
			"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a", %s}]}}}}`, field)))
		e, _ := errors.AsType[*sluice.Error](err)
		if e == nil {
			e = &sluice.Error{}
		}
		if e.Field != want {
			t.Errorf("%s: the error names %q, want %q: %v", field, e.Field, want, err)
		}
	}
}
