package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// stopAgent stops the agent until the test ends.
func (a *account) stopAgent() process.Identity {
	a.t.Helper()
	id := a.agentProcess()
	if err := id.Signal(unix.SIGSTOP); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(a.continueAgent)
	for !process.Stopped(id) { // its threads stop one after the other
		runtime.Gosched()
	}
	return id
}

func (a *account) continueAgent() {
	if err := process.Continue([]process.Identity{a.agentProcess()}); err != nil {
		a.t.Error(err)
	}
}

// TestStoppedAgent sends every kind of request to an agent that is stopped. Each says so and is not done later.
func TestStoppedAgent(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(speaking)
	a.awaitSettled("Deployment/speak")
	var pod string
	for name := range a.pods() {
		pod = name
	}
	watching, tailing := make(chan struct{}), make(chan struct{})
	requests := map[string]func() error{
		"get":     func() error { _, err := a.Get(a.ctx, ref(t, "Deployment/speak")); return err },
		"list":    func() error { _, err := a.List(a.ctx, "apps/v1", "Deployment", "test"); return err },
		"apply":   func() error { _, _, err := a.Apply(a.ctx, objects(t, webService)[0], false); return err },
		"delete":  func() error { return a.Delete(a.ctx, ref(t, "Service/none")) },
		"scale":   func() error { return a.Scale(a.ctx, ref(t, "Deployment/speak"), 1) },
		"pods":    func() error { _, err := a.Pods(a.ctx, "test"); return err },
		"logs":    func() error { _, err := a.Logs(a.ctx, "test", pod, 10); return err },
		"exec":    func() error { _, err := a.Exec(a.ctx, "test", pod, []string{"true"}); return err },
		"address": func() error { _, err := a.Address(a.ctx, "test", "web", 8080); return err },
		"dial": func() error {
			images := map[string]local.Image{"other:1": {Command: []string{"true"}}}
			_, err := local.Dial(a.ctx, local.Config{Dir: a.dir, Images: images})
			return err
		},
		"watch": func() error {
			for _, err := range a.Watch(a.ctx, "apps/v1", "Deployment", "test") {
				if err != nil {
					return err
				}
				close(watching)
			}
			return errors.New("the watch ended")
		},
		"tail": func() error {
			for line, err := range a.Tail(a.ctx, "test", pod) {
				if err != nil {
					return err
				}
				if line == "three" {
					close(tailing)
				}
			}
			return errors.New("the tail ended")
		},
	}
	failures := sync.Map{}
	var all sync.WaitGroup
	ask := func(name string) { all.Go(func() { failures.Store(name, requests[name]()) }) }
	ask("watch")
	ask("tail")
	<-watching
	<-tailing
	id := a.stopAgent()
	for name := range requests {
		if name != "watch" && name != "tail" {
			ask(name)
		}
	}
	all.Wait()
	for name := range requests {
		failure, _ := failures.Load(name)
		err, _ := failure.(error)
		hint := sluice.ErrorHint(err)
		if sluice.ErrorCode(err) != sluice.Unavailable || !strings.Contains(err.Error(), fmt.Sprint("process ", id.PID)) ||
			!strings.Contains(hint, fmt.Sprint("kill -CONT ", id.PID)) {
			t.Errorf("%s: %v (hint %q), want Unavailable that names process %d", name, err, hint, id.PID)
		}
	}
	a.continueAgent()
	a.awaitSettled("Deployment/speak")
	// What nobody waits for any more is not done.
	if _, err := a.Get(a.ctx, ref(t, "Service/web")); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("the Service was applied later: %v", err)
	}
}

// TestAgentContinues stops the agent for a moment: a request that waits is answered all the same.
func TestAgentContinues(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.stopAgent()
	answered := make(chan error, 1)
	go func() {
		_, _, err := a.Apply(a.ctx, objects(t, webService)[0], false)
		answered <- err
	}()
	a.continueAgent()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestSlowRequest runs a command for longer than an agent may be silent.
func TestSlowRequest(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(speaking)
	a.awaitSettled("Deployment/speak")
	for name := range a.pods() {
		out, err := a.Exec(a.ctx, "test", name, []string{"sh", "-c", "sleep 7; echo done"})
		if out != "done\n" || err != nil {
			t.Errorf("Exec: %q, %v", out, err)
		}
	}
}

// TestDownGoesOn lets a client leave while the account goes down: the pods still get the time to end.
func TestDownGoesOn(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(strings.Replace(speaking, "speak:1", "courteous:1", 1))
	a.awaitSettled("Deployment/speak")
	agent, err := process.Adopt(a.agentProcess())
	if err != nil {
		t.Fatal(err)
	}
	for name := range a.pods() {
		for range a.Tail(a.ctx, "test", name) { // its first line: it knows the signal now
			break
		}
	}
	log, err := filepath.Glob(filepath.Join(a.dir, "logs/test/*/main.log"))
	if err != nil || len(log) != 1 {
		t.Fatal(log, err)
	}
	pod := marked(t, "SLUICE_ACCOUNT="+a.id())
	if err := pod[0].Signal(unix.SIGSTOP); err != nil { // so that it does not end yet
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(a.ctx)
	defer leave()
	left := make(chan error, 1)
	go func() { left <- a.Down(ctx) }()
	record := filepath.Join(filepath.Dir(filepath.Dir(a.home())), "pod.json")
	awaitWrite(t, record, func() bool {
		b, err := os.ReadFile(record)
		return err == nil && strings.Contains(string(b), "stoppingAt")
	})
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("Down: %v", err)
	}
	if err := process.Continue(pod); err != nil {
		t.Fatal(err)
	}
	<-agent.Done()
	if b, err := os.ReadFile(log[0]); err != nil || !strings.Contains(string(b), "goodbye") {
		t.Errorf("the pod was killed: it wrote %q, %v", b, err)
	}
}

// TestSocketRemoved removes the socket of an agent that runs. The next command cannot start another one and says so.
func TestSocketRemoved(t *testing.T) {
	t.Parallel()
	a := open(t)
	agent := a.agentProcess()
	if err := os.Remove(filepath.Join(a.dir, "agent.sock")); err != nil {
		t.Fatal(err)
	}
	_, err := local.Dial(a.ctx, local.Config{Dir: a.dir, Name: "test"})
	if want := fmt.Sprintf("kill -9 %d", agent.PID); sluice.ErrorCode(err) != sluice.Unavailable ||
		!strings.Contains(sluice.ErrorHint(err), want) {
		t.Errorf("Dial: %v (hint %q), want Unavailable and %q", err, sluice.ErrorHint(err), want)
	}
	a.killAgent()
	a.dial()
}
