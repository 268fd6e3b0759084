// Package sweeptest ends every process that tests have started, also when a test fails or the test run is killed.
//
// Start reading at [Wrap].
package sweeptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// rootVariable makes the test's own program a sweeper and names the directory to sweep.
const rootVariable = "SWEEP_ROOT"

// A Run runs all tests of a package in a temporary directory of their own. A sweeper, which is a process of its own,
// ends everything that uses the directory and removes it when the tests have ended or their process was killed.
type Run struct{ tests Tests }

// Tests are those of a package, as a rule a testing.M. Run returns their exit status.
type Tests interface{ Run() int }

// Wrap returns the run of the tests, for TestMain.
func Wrap(t Tests) Run { return Run{t} }

// Run returns the exit status of the tests.
func (r Run) Run() int {
	if root := os.Getenv(rootVariable); root != "" {
		return beSweeper(root)
	}
	status, err := r.swept()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		return 1
	}
	return status
}

func (r Run) swept() (status int, err error) {
	root, err := os.MkdirTemp("", "s-") // short: paths of sockets are limited
	if err != nil {
		return 0, err
	}
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	sweeper := exec.Command(program)
	sweeper.Env, sweeper.Dir, sweeper.Stderr = []string{rootVariable + "=" + root}, "/", os.Stderr
	sweeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt from the keyboard does not reach it
	alive, err := sweeper.StdinPipe()                        // closes with this process
	if err != nil {
		return 0, err
	}
	if err := errors.Join(os.Setenv("TMPDIR", root), sweeper.Start()); err != nil {
		return 0, err
	}
	status = r.tests.Run()
	return status, errors.Join(alive.Close(), sweeper.Wait())
}

// beSweeper waits until the tests have ended.
func beSweeper(root string) int {
	_, err := io.Copy(io.Discard, os.Stdin)
	if err := errors.Join(err, Sweep(root), os.RemoveAll(root)); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		return 1
	}
	return 0
}

// Sweep kills every process that works in the directory, or whose arguments or environment name it, and returns when
// none is left.
func Sweep(dir string) error {
	for range 1000 { // a process may start another one while it is killed
		ids, err := using(dir)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := process.KillOne(id); err != nil {
				return err
			}
		}
	}
	return errors.New("processes start faster than they can be ended")
}

func using(dir string) ([]process.Identity, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []process.Identity
	for _, path := range processes {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid == os.Getpid() || !uses(path, dir) {
			continue
		}
		if id, err := process.Identify(pid); err == nil && id.Alive() {
			found = append(found, id)
		}
	}
	return found, nil
}

// uses reports whether the process uses the directory or a path below it. The process of another user uses nothing.
func uses(process, dir string) bool {
	at, _ := os.Readlink(filepath.Join(process, "cwd"))
	args, _ := os.ReadFile(filepath.Join(process, "cmdline"))
	env, _ := os.ReadFile(filepath.Join(process, "environ"))
	for _, text := range [][]byte{[]byte(at + "\x00"), args, env} {
		if bytes.Contains(text, []byte(dir+"/")) || bytes.Contains(text, []byte(dir+"\x00")) {
			return true
		}
	}
	return false
}
