package seeddemo

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// Kubectl runs the clusters' own kubectl against the cluster and returns what it prints; a failure ends the test.
func (w *World) Kubectl(t *testing.T, c *cluster.Cluster, stdin string, args ...string) string {
	t.Helper()
	out, err := w.tryKubectl(c, stdin, args...)
	if err != nil {
		t.Fatalf("%s: kubectl %s: %v\n%s", c.Name, strings.Join(args, " "), err, out)
	}
	return out
}

// kubectl is Kubectl for callers that continue after a failure.
func (w *World) kubectl(t *testing.T, c *cluster.Cluster, stdin string, args ...string) string {
	t.Helper()
	out, err := w.tryKubectl(c, stdin, args...)
	if err != nil {
		t.Errorf("%s: kubectl %s: %v\n%s", c.Name, strings.Join(args, " "), err, out)
		return ""
	}
	return out
}

func (w *World) tryKubectl(c *cluster.Cluster, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	args = append([]string{"--kubeconfig=" + w.pair.Kubeconfig, "--context=" + c.Name}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(w.state, "bin", "kubectl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String() + complaint.String(), err
	}
	return out.String(), nil
}
