package seeddemo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A Result is how a delivery ended.
type Result struct {
	// Status is the exit status of the process.
	Status int
	// Targets is how each target ended.
	Targets map[string]string
	// Steps are the last states of the steps: done, failed, ...
	Steps map[string]string
	// Failures are the messages of failed steps.
	Failures map[string]string
	// Warnings is the standard error.
	Warnings string
}

// A line is one that sluice prints: an event, or at the end what became of the targets.
type line struct {
	Event   event
	Targets map[string]string
}

type event struct {
	Kind     string
	Step     string
	Progress *struct {
		State string
		Wait  *struct{ Signals []string }
	}
	Failure *struct{ Code, Message, Hint string }
}

// Run delivers the directory's deploy file. It calls decide for each step that waits for a person.
func (w *World) Run(t *testing.T, dir string, decide func(step string)) Result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), w.Sluice, "run", "-f", w.DeployFile, "-o", "json")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GITHUB_TOKEN="+githubToken)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	try(t, err)
	try(t, cmd.Start())
	r := Result{Targets: map[string]string{}, Steps: map[string]string{}, Failures: map[string]string{}}
	r.follow(t, out, decide)
	err = cmd.Wait()
	exit := new(exec.ExitError)
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r.Status, r.Warnings = cmd.ProcessState.ExitCode(), complaint.String()
	t.Logf("status %d, targets %v\n%s", r.Status, r.Targets, r.Warnings)
	return r
}

func (r *Result) follow(t *testing.T, out io.Reader, decide func(string)) {
	t.Helper()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	asked := map[string]bool{}
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		e := l.Event
		r.record(l)
		if e.Kind != "deploymentStarted" {
			t.Log(shortened(lines.Text()))
		}
		if e.Progress == nil || e.Progress.Wait == nil || asked[e.Step] {
			continue
		}
		if slices.Contains(e.Progress.Wait.Signals, "approve") {
			asked[e.Step] = true
			decide(e.Step)
		}
	}
	try(t, lines.Err())
}

func (r *Result) record(l line) {
	e := l.Event
	if e.Step != "" {
		r.Steps[e.Step] = strings.TrimPrefix(e.Kind, "step")
	}
	if e.Failure != nil && e.Step != "" {
		r.Failures[e.Step] = e.Failure.Message
	}
	for target, state := range l.Targets {
		r.Targets[target] = state
	}
}

func shortened(line string) string { return line[:min(len(line), 600)] }

// Command runs another command of the program in the directory and returns its output.
func (w *World) Command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), w.Sluice, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GITHUB_TOKEN="+githubToken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
