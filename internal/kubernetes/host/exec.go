package host

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// Bounds of the output that is kept.
const (
	maxOutput = 1 << 20 // of stdout, from its beginning
	maxStderr = 4 << 10 // of stderr, up to its end
)

// Exec runs the command in the main container of the pod. Output beyond 1 MiB is dropped.
func (h *Host) Exec(ctx context.Context, namespace, name string, command []string) (string, error) {
	op := "run a command in pod " + name
	if len(command) == 0 {
		return "", sluice.Errorf(sluice.Invalid, "no command is given")
	}
	p, err := h.pod(ctx, namespace, name)
	if err != nil {
		return "", err
	}
	query := url.Values{"container": {p.Main().Name}, "command": command, "stdout": {"true"}, "stderr": {"true"}}
	at, err := h.client.URL(client.Path("v1", namespace, "pods", name, "exec"), query)
	if err != nil {
		return "", err
	}
	executor, err := executorFor(h.client.Config(), at)
	if err != nil {
		return "", client.Wrap(op, err)
	}
	stdout, stderr := &head{max: maxOutput}, &tail{max: maxStderr}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
	if ended, ok := errors.AsType[exec.CodeExitError](err); ok {
		return stdout.String(), failedCommand(command[0], name, ended.Code, stderr.String(), stdout.String())
	}
	if err != nil {
		return stdout.String(), client.Wrap(op, err)
	}
	return stdout.String(), nil
}

// executorFor uses WebSocket, and SPDY if a server or proxy does not support that.
func executorFor(c *rest.Config, at *url.URL) (remotecommand.Executor, error) {
	spdy, err := remotecommand.NewSPDYExecutor(c, http.MethodPost, at)
	if err != nil {
		return nil, err
	}
	websocket, err := remotecommand.NewWebSocketExecutor(c, http.MethodGet, at.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, client.LacksWebSocket)
}

// failedCommand names the program without its arguments, which may hold a secret.
func failedCommand(program, pod string, status int, stderr, stdout string) error {
	end := stdout[max(0, len(stdout)-maxStderr):]
	said := cmp.Or(strings.TrimSpace(stderr), strings.TrimSpace(end), "it printed nothing")
	return sluice.Errorf(sluice.Failed, "%s in pod %s ended with status %d: %s", program, pod, status, said)
}

// A head keeps the beginning of what is written to it.
type head struct {
	strings.Builder
	max int
}

func (h *head) Write(p []byte) (int, error) {
	h.Builder.Write(p[:min(len(p), h.max-h.Len())])
	return len(p), nil
}

// A tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	max  int
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-t.max):]...)
	if extra := len(t.kept) - t.max; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.kept), "") }
