package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
)

// A CommandError is the error of a command that failed, with what the command printed.
type CommandError struct {
	error
	Output string
}

// Unwrap returns the error without the output.
func (e CommandError) Unwrap() error { return e.error }

// execOutput bounds the output of a command that is kept.
const execOutput = 1 << 20

// execIn runs a command with a container's environment, directory and mount paths, and returns what it printed.
func (a *Agent) execIn(ctx context.Context, p *pod, c *container, command []string) (string, error) {
	cmd, err := a.execCommand(ctx, p, c, command)
	if err != nil {
		return "", err
	}
	out := &bounded{}
	cmd.Stdout, cmd.Stderr = out, out
	a.starts.RLock()
	err = cmd.Start()
	a.starts.RUnlock()
	if err == nil {
		err = cmd.Wait()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err := sluice.Errorf(sluice.Failed, "%s in %s ended with status %d: %s",
			command[0], p.Name, exit.ExitCode(), strings.TrimSpace(out.tail(400)))
		return "", CommandError{err, out.String()}
	}
	if err != nil {
		return out.String(), sluice.Errorf(sluice.Failed, "run %s in %s: %w", command[0], p.Name, err)
	}
	return out.String(), nil
}

func (a *Agent) execCommand(ctx context.Context, p *pod, c *container, command []string) (*exec.Cmd, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(command) == 0 {
		return nil, sluice.Errorf(sluice.Invalid, "there is no command to run")
	}
	image, err := a.image(c.spec.Image)
	if err != nil {
		return nil, err
	}
	mounts := a.mounts(p, c)
	vars, err := a.environment(p, c, image, mounts)
	if err != nil {
		return nil, err
	}
	argv := make([]string, len(command))
	for i := range command {
		argv[i] = rewrite(command[i], mounts)
	}
	file, err := lookUp(argv[0], image.Dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, file, argv[1:]...)
	cmd.Args[0], cmd.Env, cmd.Dir = argv[0], vars.list(), a.workingDir(p, c, mounts)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild that keeps the output open does not keep us
	return cmd, nil
}

// A bounded buffer keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

// Write never fails. It drops what does not fit.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:max(0, min(len(p), execOutput-b.Len()))])
	return len(p), nil
}

func (b *bounded) tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}

// Exec runs a command in the pod's first container.
func (a *Agent) Exec(ctx context.Context, r ExecRequest) (string, error) {
	a.mu.Lock()
	p := a.findPod(r.Namespace, r.Pod)
	a.mu.Unlock()
	if p == nil || p.ended() {
		return "", sluice.Errorf(sluice.NotFound, "there is no running pod %s in the namespace %s", r.Pod, r.Namespace)
	}
	out, err := a.execIn(ctx, p, p.containers[0], r.Command)
	if err != nil && ctx.Err() != nil {
		return out, fmt.Errorf("run %s in %s: %w", r.Command[0], p.Name, ctx.Err())
	}
	return out, err
}
