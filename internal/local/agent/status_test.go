package agent

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/local/process"
)

func TestWhyAPodWithAnInitContainerIsNotReady(t *testing.T) {
	one, zero := 1, 0
	for want, setup := range map[string]containerRecord{
		"init container setup runs":   {Process: &process.Identity{PID: 1}},
		"setup: exited with status 1": {ExitCode: &one, Restarts: 1},
		"main: starting":              {ExitCode: &zero, Ended: true},
		"setup: starting":             {},
	} {
		var r record
		r.Spec.InitContainers = []corev1.Container{{Name: "setup"}}
		r.Spec.Containers = []corev1.Container{{Name: "main"}}
		p := newPod(t.Context(), r)
		initial := p.containers[1]
		*initial.rec = setup
		if setup.ExitCode != nil {
			initial.reason = exitedWith(*setup.ExitCode)
		}
		if got := p.why(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
