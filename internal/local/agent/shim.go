package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// The roles that a process started with the agent's own command line can have instead of being the agent.
const (
	roleVariable = "SLUICE_ROLE"
	shimVariable = "SLUICE_SHIM"
	roleShim     = "shim"
	roleWatchdog = "watchdog"
)

// self returns the running program, also after its file was replaced by a newer one.
const self = "/proc/self/exe"

// A shimSpec is what a shim runs.
type shimSpec struct {
	Path string   `json:"path"`
	Args []string `json:"args"`
	Exit string   `json:"exit"` // the file that gets the status
}

// shimmed wraps a program whose exit status matters in a parent that records the status. Only a parent learns it, and
// another agent may run by then.
func (a *Agent) shimmed(s process.Spec, exit string) (process.Spec, error) {
	file, err := os.Readlink(self)
	if err != nil {
		return s, err
	}
	if strings.HasSuffix(file, " (deleted)") {
		file = fmt.Sprintf("/proc/%d/exe", os.Getpid())
	}
	spec, err := json.Marshal(shimSpec{Path: s.Path, Args: s.Args, Exit: exit})
	if err != nil {
		return s, err
	}
	s.Path, s.Args = file, os.Args
	s.Env = append(s.Env, roleVariable+"="+roleShim, shimVariable+"="+string(spec))
	return s, nil
}

func (a *Agent) exitFile(p *pod, c *container) string {
	return filepath.Join(a.podDir(p.UID), fmt.Sprintf("exit-%s-%d.json", c.spec.Name, c.rec.Restarts))
}

// exitCode prefers the status that a shim recorded to the one that was seen.
func (a *Agent) exitCode(p *pod, c *container, seen int) int {
	if p.Owner.Kind != "Job" {
		return seen
	}
	code := seen
	ok, err := readJSON(a.exitFile(p, c), &code)
	if err != nil || !ok {
		return process.Unknown
	}
	return code
}

// runShim runs the program to its end and records its status.
func runShim(context.Context) error {
	var s shimSpec
	if err := json.Unmarshal([]byte(os.Getenv(shimVariable)), &s); err != nil {
		return err
	}
	if err := errors.Join(os.Unsetenv(shimVariable), os.Unsetenv(roleVariable)); err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: s.Path, Args: s.Args, Stdout: os.Stdout, Stderr: os.Stderr}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	err := cmd.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return writeJSON(s.Exit, 127)
	}
	go func() {
		for sig := range signals {
			_ = cmd.Process.Signal(sig) // it may just have ended
		}
	}()
	return writeJSON(s.Exit, process.ExitStatus(cmd.Wait()))
}
