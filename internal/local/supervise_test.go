package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// home returns the directory of the only container of the workload's only pod.
func (a *account) home() string {
	a.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(a.dir, "pods", "*", "root", "*"))
	if err != nil || len(dirs) != 1 {
		a.t.Fatalf("containers: %v, %v", dirs, err)
	}
	return dirs[0]
}

func ready(n int) func(sluice.Object) bool {
	return func(o sluice.Object) bool { return o.Number(0, "status", "readyReplicas") == n }
}

func TestReadinessProbe(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webDeployment("web", "1", "1", ""))
	a.awaitSettled("Deployment/web")
	flag := filepath.Join(a.home(), "not-ready")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.await("Deployment/web", "loses its ready pod", ready(0))
	for _, p := range a.pods() {
		if p.Ready || p.Restarts != 0 || !strings.Contains(p.Reason, "503") {
			t.Errorf("pod is %+v, want it not ready for the status 503, and not restarted", p)
		}
	}
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	a.await("Deployment/web", "is ready again", ready(1))
}

func TestLivenessProbeRestarts(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webDeployment("web", "1", "1", "") + `
        livenessProbe:
          {httpGet: {path: /live, port: 8080}, initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 1}`)
	a.awaitSettled("Deployment/web")
	before := marked(t, "POD_DIR="+a.home())
	flag := filepath.Join(a.home(), "not-live")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.await("Deployment/web", "loses its ready pod", ready(0))
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	a.await("Deployment/web", "is ready again", ready(1))
	after := marked(t, "POD_DIR="+a.home())
	if len(before) != 1 || len(after) != 1 || before[0] == after[0] {
		t.Errorf("processes before %v and after %v, want one each, and another one", before, after)
	}
	for _, p := range a.pods() {
		if p.Restarts != 1 || !strings.Contains(p.LastEnd, "the liveness probe failed") {
			t.Errorf("pod is %+v, want 1 restart because of its liveness probe", p)
		}
	}
}

func TestExecProbeAndStartup(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(strings.Replace(webDeployment("web", "1", "1", ""),
		"readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, failureThreshold: 1}",
		`startupProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        readinessProbe: {exec: {command: [sh, -c, "test -e $POD_DIR/go"]}, periodSeconds: 1}`, 1))
	a.await("Deployment/web", "has its pod", func(o sluice.Object) bool { return o.Number(0, "status", "replicas") == 1 })
	for name := range a.pods() {
		for _, err := range a.Tail(a.ctx, "test", name) { // its first line: the program runs
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if n := a.get("Deployment/web").Number(0, "status", "readyReplicas"); n != 0 {
		t.Errorf("%d pods are ready before the command succeeds", n)
	}
	if err := os.WriteFile(filepath.Join(a.home(), "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.await("Deployment/web", "is ready", ready(1))
}

// Without a readiness probe a program counts as ready, but not one that ends at once.
func TestProgramThatEndsAtOnceIsNeverReady(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: failing}
spec:
  selector: {matchLabels: {app: failing}}
  template:
    metadata: {labels: {app: failing}}
    spec: {containers: [{name: main, image: "exit:1", args: ["3"]}]}`)
	a.await("Deployment/failing", "is restarted twice", func(o sluice.Object) bool {
		if ready(1)(o) {
			t.Errorf("it is ready: %v", o.Field("status"))
		}
		for _, p := range a.pods() {
			if p.Restarts > 1 && p.LastEnd == "it ended with status 3" {
				return true
			}
		}
		return false
	})
}

// TestRestartBackoff has a program that ends at once: its restarts are at least 1, then 2 seconds apart.
func TestRestartBackoff(t *testing.T) {
	t.Parallel()
	a := open(t)
	began := time.Now()
	a.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: failing}
spec:
  selector: {matchLabels: {app: failing}}
  template:
    metadata: {labels: {app: failing}}
    spec: {containers: [{name: main, image: "exit:1", args: ["3"], startupProbe: {tcpSocket: {port: 1}}}]}`)
	var pod string
	a.await("Deployment/failing", "has its pod",
		func(o sluice.Object) bool { return o.Number(0, "status", "replicas") == 1 })
	for name := range a.pods() {
		pod = name
	}
	log := filepath.Join(a.dir, "logs", "test", pod, "main.log")
	for lines := 0; lines < 3; {
		awaitWrite(t, log, func() bool {
			b, err := os.ReadFile(log)
			lines = strings.Count(string(b), "exiting with 3\n")
			return err == nil && lines >= 3
		})
	}
	if took := time.Since(began); took < 3*time.Second || took > 6*time.Second {
		t.Errorf("the third start came after %s, want 1 s + 2 s", took)
	}
}

// awaitWrite waits for writes to a file until done says so.
func awaitWrite(t *testing.T, path string, done func() bool) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for !done() {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 15_000); n == 0 || err != nil && err != unix.EINTR {
			t.Fatalf("nothing was written to %s: %v", path, err)
		}
		if _, err := unix.Read(fd, buf); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAgentDies kills the agent: the pods live on, and the next agent takes over the very same processes.
func TestAgentDies(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	id, err := os.ReadFile(filepath.Join(a.dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	before, pods := marked(t, "SLUICE_ACCOUNT="+string(id)), a.pods()
	agent := a.agentProcess()
	a.killAgent()
	for _, p := range before {
		if !p.Alive() {
			t.Errorf("process %d ended with the agent", p.PID)
		}
	}
	// One of them ends while nobody looks.
	if err := before[0].Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.await("Deployment/web", "is whole again",
		func(o sluice.Object) bool { return settled(o) && a.restartedAndReady(1) })
	if a.agentProcess() == agent {
		t.Error("the agent is the one that was killed")
	}
	after := marked(t, "SLUICE_ACCOUNT="+string(id))
	if len(after) != 2 || after[0] != before[1] && after[1] != before[1] {
		t.Errorf("processes before %v and after %v: the one that lived was not adopted", before, after)
	}
	for name := range a.pods() {
		if _, ok := pods[name]; !ok {
			t.Errorf("pod %s is new", name)
		}
	}
	a.fetch("web", "/")
	// An adopted process is watched: its end is noticed.
	for _, p := range after {
		if err := p.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	a.await("Deployment/web", "restarts the adopted",
		func(o sluice.Object) bool { return settled(o) && a.restartedAndReady(3) })
}

// restartedAndReady looks at the pods once: the status of their workload may be older than their restarts.
func (a *account) restartedAndReady(times int) bool {
	pods := a.pods()
	for _, p := range pods {
		if !p.Ready {
			return false
		}
	}
	return restarted(pods) == times
}

func restarted(pods map[string]sluice.Pod) int {
	n := 0
	for _, p := range pods {
		n += p.Restarts
	}
	return n
}

// TestUnrecordedProcess is an agent that died between starting a process and recording it.
func TestUnrecordedProcess(t *testing.T) {
	t.Parallel()
	a := open(t)
	id, err := os.ReadFile(filepath.Join(a.dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	a.killAgent()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stray, err := process.Start(process.Spec{
		Path: exe, Args: []string{exe}, Log: filepath.Join(t.TempDir(), "log"),
		Env: []string{"PROGRAM=forking", "CHILD=1", "SLUICE_ACCOUNT=" + string(id), "SLUICE_CONTAINER=unknown.main"},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.dial()
	<-stray.Done()
}

// TestNothingEscapes has a pod whose child leaves its session; it goes with the pod all the same.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: forking}
spec:
  selector: {matchLabels: {app: forking}}
  template:
    metadata: {labels: {app: forking}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "forking:1"}]}`)
	a.awaitSettled("Deployment/forking")
	mark := "POD_DIR=" + a.home()
	if err := a.Delete(a.ctx, ref(t, "Deployment/forking")); err != nil {
		t.Fatal(err)
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	lines := a.ledger()
	if len(lines) != 2 || lines[0]["event"] != "started" || lines[1]["event"] != "ended" ||
		lines[0]["uid"] != lines[1]["uid"] {
		t.Errorf("the ledger says %v", lines)
	}
}

func awaitEnd(t *testing.T, id process.Identity) {
	t.Helper()
	p, err := process.Adopt(id)
	if err == nil {
		<-p.Done()
	}
}
