package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/sluice-cd/sluice"
)

// What is kept of a command's output: all of it up to a bound, and the end of what it complains about.
const (
	maxOutput    = 1 << 20
	maxComplaint = 4 << 10
)

// Exec runs the command in the container that people mean when they name the pod. What it prints beyond 1 MiB
// is dropped.
func (a *Account) Exec(ctx context.Context, namespace, pod string, command []string) (string, error) {
	op := "run a command in pod " + pod
	if len(command) == 0 {
		return "", sluice.Errorf(sluice.Invalid, "no command is given")
	}
	p, err := a.pod(ctx, namespace, pod)
	if err != nil {
		return "", err
	}
	query := url.Values{"container": {p.main().Name}, "command": command, "stdout": {"true"}, "stderr": {"true"}}
	at, err := a.url(namespaced("v1", namespace, "pods", pod, "exec"), query)
	if err != nil {
		return "", err
	}
	executor, err := executorFor(a.config, at)
	if err != nil {
		return "", mapError(op, err)
	}
	out, complaint := &head{max: maxOutput}, &tail{max: maxComplaint}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: out, Stderr: complaint})
	if ended, ok := errors.AsType[exec.CodeExitError](err); ok {
		return out.String(), failedCommand(command[0], pod, ended.Code, orOutput(complaint.String(), out.String()))
	}
	if err != nil {
		return out.String(), mapError(op, err)
	}
	return out.String(), nil
}

// executorFor speaks WebSocket, and SPDY with servers or proxies that do not.
func executorFor(c *rest.Config, at *url.URL) (remotecommand.Executor, error) {
	spdy, err := remotecommand.NewSPDYExecutor(c, http.MethodPost, at)
	if err != nil {
		return nil, err
	}
	websocket, err := remotecommand.NewWebSocketExecutor(c, http.MethodGet, at.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, speaksNoWebSocket)
}

func speaksNoWebSocket(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

// failedCommand names the program and not its arguments, which may hold a secret.
func failedCommand(program, pod string, status int, complaint string) error {
	complaint = strings.TrimSpace(complaint)
	if complaint == "" {
		complaint = "it printed nothing"
	}
	return sluice.Errorf(sluice.Failed, "%s in pod %s ended with status %d: %s", program, pod, status, complaint)
}

func orOutput(first, second string) string {
	if strings.TrimSpace(first) != "" {
		return first
	}
	return second[max(0, len(second)-maxComplaint):]
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
