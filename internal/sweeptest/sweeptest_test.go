package sweeptest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sluice-cd/sluice/internal/local/process"
	"github.com/sluice-cd/sluice/internal/sweeptest"
)

func TestMain(m *testing.M) { os.Exit(sweeptest.Wrap(m).Run()) }

// leaveVariable makes TestLeave leave processes behind and wait.
const leaveVariable = "SWEEPTEST_LEAVE"

// TestLeave is the run of tests that TestKilledRun kills.
func TestLeave(t *testing.T) {
	if os.Getenv(leaveVariable) == "" {
		t.Skip("it is only for TestKilledRun")
	}
	for _, p := range leave(t, t.TempDir()) {
		b, err := json.Marshal(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\n", b)
	}
	fmt.Println("{}")
	_, _ = io.Copy(io.Discard, os.Stdin) // for ever
}

// leave starts processes in sessions of their own that use the directory in different ways. One of them is stopped.
func leave(t *testing.T, dir string) []*process.Process {
	t.Helper()
	var all []*process.Process
	for _, s := range []process.Spec{
		{Args: []string{"sleep", "1000"}, Dir: dir},
		{Args: []string{"sleep", "1000"}, Env: []string{"OF=" + filepath.Join(dir, "state")}},
		{Args: []string{"tail", "-f", "/dev/null", filepath.Join(dir, "log")}},
	} {
		s.Path, s.Log = filepath.Join("/usr/bin", s.Args[0]), filepath.Join(dir, "log")
		p, err := process.Start(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := all[0].ID.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKilledRun kills a run of tests. Nothing that it has started is left.
func TestKilledRun(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(program, "-test.run=^TestLeave$")
	run.Env = append(os.Environ(), leaveVariable+"=1")
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	var left []*process.Process
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var id process.Identity
		if err := json.Unmarshal(lines.Bytes(), &id); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if id.PID == 0 {
			break
		}
		p, err := process.Adopt(id)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, p)
	}
	if len(left) != 3 {
		t.Fatalf("the run left %d processes", len(left))
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, p := range left {
		<-p.Done()
	}
	_ = run.Wait() // it was killed
}

// TestSweep ends what uses one directory and nothing else.
func TestSweep(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "script")
	others := mine + "-other"
	if err := errors.Join(os.Mkdir(mine, 0o700), os.Mkdir(others, 0o700)); err != nil {
		t.Fatal(err)
	}
	swept, kept := leave(t, mine), leave(t, others)
	if err := sweeptest.Sweep(mine); err != nil {
		t.Fatal(err)
	}
	for i := range swept {
		if swept[i].ID.Alive() || !kept[i].ID.Alive() {
			t.Errorf("process %d: ended %t, that of the other directory %t", i, !swept[i].ID.Alive(), !kept[i].ID.Alive())
		}
	}
	if err := sweeptest.Sweep(others); err != nil {
		t.Fatal(err)
	}
}
