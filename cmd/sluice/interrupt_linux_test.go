package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

const waiting = `version: v1
kind: kubernetes
application: shop
deploymentConfig: {ifDeploymentInProgress: {strategy: enqueueOne}}
targets:
  staging: {account: local, namespace: staging, constraints: {beforeDeployment: [{pause: {untilApproved: true}}]}}
manifests:
  - inline: |
      {apiVersion: v1, kind: ConfigMap, metadata: {name: shop}, data: {release: "1"}}
`

// far is a file for a cluster that never answers.
var far = strings.Replace(waiting, "account: local", "account: far", 1)

// hanging is the configuration of everything that never answers, and of a program for credentials that never ends.
const hanging = `accounts:
  local: {type: local}
  far: {type: kubernetes, kubeconfig: far.kubeconfig}
metrics:
  prom: {type: prometheus, url: "http://%s"}
`

const kubeconfig = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {%s}}]
`

const credentials = `exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never,
  args: [-c, "echo $$ > pid.new; mv pid.new pid; exec sleep 600 >/dev/null 2>&1"]}`

// A stage is a directory with commands that run in it.
type stage struct {
	*testing.T
	dir    string
	silent net.Listener // accepts and never answers
}

func newStage(t *testing.T, user string) *stage {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s := &stage{t, t.TempDir(), silent}
	for name, text := range map[string]string{
		"deploy.yaml": waiting, "far.yaml": far, "sluice.yaml": fmt.Sprintf(hanging, silent.Addr()),
		"far.kubeconfig": fmt.Sprintf(kubeconfig, silent.Addr(), user),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { <-s.start(false, "local", "down", "--yes").exited })
	return s
}

// A command is a sluice that runs.
type command struct {
	stage  *stage
	cmd    *exec.Cmd
	exited chan struct{}

	mu     sync.Mutex
	output strings.Builder
}

func (r *command) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.Write(p)
}

func (r *command) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.String()
}

// start starts sluice. On a terminal its output is what the terminal shows.
func (s *stage) start(terminal bool, args ...string) *command {
	s.Helper()
	r := &command{stage: s, cmd: exec.Command("sluice", args...), exited: make(chan struct{})}
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = s.dir, r, r
	r.cmd.Env = append(os.Environ(), "NO_COLOR=1", "XDG_CACHE_HOME="+filepath.Join(s.dir, "cache"))
	if terminal {
		outside, inside := openTerminal(s.T)
		defer inside.Close()
		r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = inside, inside, inside
		go func() { _, _ = io.Copy(r, outside) }() // ends with the terminal
	}
	if err := r.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // the status is looked at where it matters
		close(r.exited)
	}()
	s.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it has ended, or the test has failed
		<-r.exited
	})
	return r
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (outside, inside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no terminals here: ", err)
	}
	t.Cleanup(func() { _ = outside.Close() })
	number, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(outside.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 200})
	}
	if err == nil {
		inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return outside, inside
}

// until waits until the condition holds.
func (s *stage) until(what string, holds func() bool) {
	s.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			s.Fatalf("this never came: %s", what)
		}
	}
}

// says waits until the command has written the text.
func (r *command) says(text string) {
	r.stage.Helper()
	r.stage.until(text, func() bool {
		select {
		case <-r.exited:
			if !strings.Contains(r.said(), text) {
				r.stage.Fatalf("it ended without a word of %q:\n%s", text, r.said())
			}
		default:
		}
		return strings.Contains(r.said(), text)
	})
}

// asks waits until something connects to the silent server.
func (s *stage) asks(*command) {
	s.Helper()
	if _, err := s.silent.Accept(); err != nil {
		s.Fatal(err)
	}
}

// ends fails the test unless the command ends in time and with the status.
func (r *command) ends(status int) {
	r.stage.Helper()
	select {
	case <-r.exited:
	case <-time.After(endsWithin):
		r.stage.Fatalf("it has not ended %s after the signal:\n%s", endsWithin, r.said())
	}
	if got := r.cmd.ProcessState.ExitCode(); got != status {
		r.stage.Errorf("status %d, want %d:\n%s", got, status, r.said())
	}
}

// endsWithin is longer than the two seconds that a command may take, because the machine may be busy.
const endsWithin = 10 * time.Second

// first starts a deployment that waits.
func (s *stage) first() *command {
	s.Helper()
	r := s.start(false, "run", "-f", "deploy.yaml")
	r.says("waiting for an approval")
	return r
}

// unended returns the state directory's deployment that has not ended.
func (s *stage) unended() (id sluice.DeploymentID, letters []sluice.Letter) {
	s.Helper()
	store, err := stateDir(filepath.Join(s.dir, bootstrap.StateName)).Read(context.Background())
	if err != nil {
		s.Fatal(err)
	}
	defer store.Close()
	list, err := store.Unended(context.Background())
	if err != nil || len(list) == 0 {
		s.Fatalf("unended: %v, %v", list, err)
	}
	letters, err = store.Letters(context.Background(), list[0])
	if err != nil {
		s.Fatal(err)
	}
	return list[0], letters
}

// pauses stops a process as Ctrl-Z does, until the test ends.
func (r *command) pauses() {
	r.stage.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		r.stage.Fatal(err)
	}
}

// waits are the commands that wait, each until it does.
var waits = map[string]struct {
	wait   func(*stage) *command
	status int
}{
	"run, for an approval": {(*stage).first, exitUnfinished},
	"run, for an approval on a terminal": {func(s *stage) *command {
		r := s.start(true, "run", "-f", "deploy.yaml")
		r.says("sluice approve")
		return r
	}, exitUnfinished},
	"run, for another process": {func(s *stage) *command {
		s.first()
		r := s.start(false, "run", "-f", "deploy.yaml", "--application", "other")
		r.says("waiting for an approval")
		return r
	}, exitUnfinished},
	"run, for its turn": {func(s *stage) *command {
		s.first()
		r := s.start(false, "run", "-f", "deploy.yaml")
		r.says("queued by")
		return r
	}, exitUnfinished},
	"run, for a cluster": {func(s *stage) *command {
		r := s.start(false, "run", "-f", "far.yaml")
		s.asks(r)
		return r
	}, exitCancelled},
	"run --resume": {func(s *stage) *command {
		first := s.first()
		_ = first.cmd.Process.Kill()
		<-first.exited
		r := s.start(false, "run", "--resume")
		r.says("waiting for an approval")
		return r
	}, exitUnfinished},
	"approve, for an answer": {func(s *stage) *command {
		s.first().pauses()
		r := s.start(false, "approve")
		s.until("a letter", func() bool { _, letters := s.unended(); return len(letters) > 0 })
		return r
	}, exitCancelled},
	"plan, for a cluster": {func(s *stage) *command {
		r := s.start(false, "plan", "-f", "far.yaml")
		s.asks(r)
		return r
	}, exitCancelled},
	"doctor, for a metric provider": {func(s *stage) *command {
		r := s.start(false, "doctor")
		s.asks(r)
		return r
	}, exitCancelled},
	"logs, for a cluster": {func(s *stage) *command {
		r := s.start(false, "logs", "--account", "far", "--pod", "shop/shop-0")
		s.asks(r)
		return r
	}, exitCancelled},
	"local ps, for an agent": {func(s *stage) *command {
		dir := filepath.Join(s.dir, bootstrap.StateName, "local", "local")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			s.Fatal(err)
		}
		l, err := agent.Listen(dir)
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() {
			_ = l.Close()
			_ = os.RemoveAll(dir) // there is no account to end
		})
		r := s.start(false, "local", "ps")
		for range 2 { // the first connection only asks whether an agent runs
			if _, err := l.Accept(); err != nil {
				s.Fatal(err)
			}
		}
		return r
	}, exitCancelled},
	"init, for an answer": {func(s *stage) *command {
		r := s.start(true, "init", "-f", "new.yaml")
		r.says("Name of the application?")
		return r
	}, exitCancelled},
	"local down, for a confirmation": {func(s *stage) *command {
		s.first()
		r := s.start(true, "local", "down")
		r.says("End everything anyway? [y/N]")
		return r
	}, exitCancelled},
}

func TestTheFirstSignalEndsEveryWait(t *testing.T) {
	for name, w := range waits {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(name+", "+unix.SignalName(signal), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, "token: secret")
				r := w.wait(s)
				if err := r.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				r.ends(w.status)
			})
		}
	}
}

// A program that fetches credentials cannot be interrupted. The command does not wait for it.
func TestTheFirstSignalEndsAWaitForCredentials(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"plan", "-f", "far.yaml"}, {"doctor"}, {"run", "-f", "far.yaml"}} {
		s := newStage(t, credentials)
		r := s.start(false, args...)
		s.until("credentials", func() bool {
			data, err := os.ReadFile(filepath.Join(s.dir, "pid"))
			if pid, _ := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && pid > 0 {
				t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
				return true
			}
			return false
		})
		if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		r.ends(exitCancelled)
	}
}

// What was interrupted is resumed.
func TestWhatASignalEndedIsResumed(t *testing.T) {
	t.Parallel()
	s := newStage(t, "token: secret")
	first := s.first()
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	first.ends(exitUnfinished)
	id, _ := s.unended()
	approve := s.start(false, "approve")
	approve.says("resume with: sluice run --resume")
	approve.ends(exitOK)
	resume := s.start(false, "run", "--resume")
	resume.says("deployment " + string(id) + " ended: succeeded")
	resume.ends(exitOK)
}
