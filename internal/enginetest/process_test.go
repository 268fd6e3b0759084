package enginetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/sqlite"
)

// processDir and processScenario are the environment variables that tell a re-executed test binary to be the process
// that gets killed.
const (
	processDir      = "ENGINETEST_DIR"
	processScenario = "ENGINETEST_SCENARIO"
)

// kills is how often a process is killed at most before it may end; longestLife bounds the time from its first
// word to the world until its kill. Undisturbed, a deployment takes several times as long.
const (
	kills       = 15
	longestLife = 25 * time.Millisecond
)

// TestProcessKilled runs the engine over the real store in a process that is killed at random moments. The world lives
// in this process, as a cluster does.
func TestProcessKilled(t *testing.T) {
	if dir := os.Getenv(processDir); dir != "" {
		beKilled(t, dir, scenarios[os.Getenv(processScenario)])
		return
	}
	if testing.Short() {
		t.Skip("starts many processes")
	}
	for _, name := range []string{
		"everything works", "the canary fails", "a person cancels", "a person pauses and continues",
	} {
		t.Run(name, func(t *testing.T) {
			want := run(t, scenarios[name], immortal)
			got := runProcesses(t, name)
			t.Logf("%d processes", got.lives)
			got.compare(t, want, fmt.Sprintf("after %d processes", got.lives))
			if got.lives < 3 {
				t.Errorf("only %d processes were killed", got.lives-1)
			}
		})
	}
}

// runProcesses kills one process after the other, then lets one end.
func runProcesses(t *testing.T, name string) *ending {
	t.Helper()
	dir, err := os.MkdirTemp("", "world") // short, for the socket's name
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := newWorld()
	door := openDoor(t, w, filepath.Join(dir, "socket"))
	defer door.listener.Close()

	lives, ended := 0, false
	for ; !ended; lives++ {
		after := time.Duration(rand.Int64N(int64(longestLife)))
		if lives >= kills {
			after = time.Minute
		}
		ended = runProcess(t, door, name, after)
	}
	store, err := sqlite.OpenReadOnly(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	list, err := store.Deployments(t.Context(), "")
	if err != nil || len(list) != 1 {
		t.Fatalf("deployments are %v, %v; want one", list, err)
	}
	return newEnding(t, store, list[0].ID, w, lives)
}

// runProcess runs one process and reports whether it ended by itself before its time.
func runProcess(t *testing.T, door *door, name string, after time.Duration) bool {
	t.Helper()
	cmd := spawn(t, door, processScenario+"="+name)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	var left chan struct{}
	select {
	case left = <-door.entered:
	case err := <-exited:
		if err != nil {
			t.Fatalf("the process ended before it did anything: %v\n%s", err, cmd.Stderr)
		}
		exited <- err
		left = <-door.entered // the one before was killed after the end, so this one had nothing to do
	}
	kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended just now
	defer kill.Stop()
	err := <-exited
	<-left // so that its last words do not reach the world after those of the next process
	if err == nil {
		return true
	}
	if cmd.ProcessState.Exited() {
		t.Fatalf("the process failed: %v\n%s", err, cmd.Stderr)
	}
	return false
}

// spawn starts the running test in another process, whose world is behind the door.
func spawn(t *testing.T, door *door, environ ...string) *exec.Cmd {
	t.Helper()
	top, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.Command(os.Args[0], "-test.run=^"+top+"$")
	cmd.Env = append(append(os.Environ(), processDir+"="+filepath.Dir(door.listener.Addr().String())), environ...)
	output := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, or the test has failed
	return cmd
}

// beKilled is the process: it starts or resumes the deployment and carries it out to its end.
func beKilled(t *testing.T, dir string, s scenario) {
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client, err := rpc.Dial("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	e := newEngine(store, steps{world: remoteWorld{client}, log: store, behaviours: s.behaviours})
	id, err := begin(t.Context(), e, store, plan(s.afterwards))
	if err != nil {
		t.Fatal(err)
	}
	if !s.silent {
		go s.speak(t.Context(), e, store, id)
	}
	if _, err := e.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// A door lets one process after the other reach the world.
type door struct {
	listener net.Listener
	entered  chan chan struct{} // gets, for each process, a channel that is closed when it has left
}

// openDoor offers the world on a socket.
func openDoor(t *testing.T, w *memoryWorld, socket string) *door {
	t.Helper()
	server := rpc.NewServer()
	if err := server.RegisterName("World", worldServer{w}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{listener: listener, entered: make(chan chan struct{})}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			left := make(chan struct{})
			d.entered <- left
			server.ServeConn(c)
			close(left)
		}
	}()
	return d
}

// A worldServer is the world as net/rpc offers it.
type worldServer struct{ world *memoryWorld }

// Set, Get and Complain have the shape that net/rpc asks for.
func (s worldServer) Set(fact [2]string, _ *bool) error {
	s.world.change(fact[0], fact[1])
	return nil
}

func (s worldServer) Get(name string, value *string) (err error) {
	*value, err = s.world.Get(name)
	return err
}

func (s worldServer) Complain(what string, _ *bool) error { return s.world.Complain(what) }

// A remoteWorld is the world seen from another process.
type remoteWorld struct{ client *rpc.Client }

func (w remoteWorld) Set(name, value string) error {
	return w.client.Call("World.Set", [2]string{name, value}, new(bool))
}

func (w remoteWorld) Get(name string) (value string, err error) {
	err = w.client.Call("World.Get", name, &value)
	return value, err
}

func (w remoteWorld) Complain(what string) error {
	return w.client.Call("World.Complain", what, new(bool))
}
