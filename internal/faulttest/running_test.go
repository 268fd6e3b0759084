package faulttest

import (
	"bufio"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// A running sluice is watched line by line, its errors among its output.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	said  strings.Builder
}

func (w *world) begin(text string) *running {
	w.t.Helper()
	w.write("deploy.yaml", text)
	return follow(w.t, w.command("run", "-f", "deploy.yaml"))
}

// follow starts the command and reads what it says.
func follow(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{t: t, cmd: cmd, lines: make(chan string, 10_000)}
	out, err := r.cmd.StdoutPipe()
	r.cmd.Stderr = r.cmd.Stdout
	if err := errors.Join(err, r.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	return r
}

// await returns the first line that has the text.
func (r *running) await(text string) string {
	r.t.Helper()
	for line := range r.lines {
		r.said.WriteString(line + "\n")
		if strings.Contains(line, text) {
			return line
		}
	}
	_ = r.cmd.Wait() // what it said tells more
	r.t.Fatalf("it never says %q:\n%s", text, r.said.String())
	return ""
}

// end waits for its end.
func (r *running) end() outcome {
	for line := range r.lines {
		r.said.WriteString(line + "\n")
	}
	_ = r.cmd.Wait() // the status tells
	return outcome{status: r.cmd.ProcessState.ExitCode(), stdout: r.said.String()}
}
