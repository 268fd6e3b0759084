package faulttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// agent returns the agent of the account local.
func (w *world) agent() process.Identity {
	w.t.Helper()
	var id process.Identity
	data, err := os.ReadFile(filepath.Join(w.state, "local", "local", "agent.pid"))
	if err == nil {
		err = json.Unmarshal(data, &id)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// TestAgentStopped: the agent stands still while a step waits for a pod. The step tries again and goes on with it.
func TestAgentStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.mustDeploy(deployFile("", "", first))
	agent := w.agent()
	r := w.begin(deployFile("constraints: {beforeDeployment: [{pause: {untilApproved: true}}]}", "",
		join(first, service, deployment("web", "web", "1", probe))))
	r.await("waiting for an approval")
	if err := agent.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = agent.Signal(unix.SIGCONT) }() // it continues before that, unless the test fails
	w.says(w.sluice("approve"), 0)
	r.await("has not answered for 5s")
	w.says(w.sluice("local", "down", "--yes"), 5, "has not answered for 5s", "kill -CONT")
	if err := agent.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.says(r.end(), 0, "ended: succeeded")
}

// TestAgentKilledAtPromotion: the agent dies while the Deployment takes over the pods of its canary. The release goes
// on with the next agent, and each pod is started once.
func TestAgentKilledAtPromotion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.mustDeploy(deployFile("", "", join(service, deployment("web", "web", "1", probe))))
	r := w.begin(deployFile("", "", join(service, deployment("web", "web", "2", probe))))
	r.await("production/promote  starts")
	if err := w.agent().Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.says(r.end(), 0, "ended: succeeded")
	ledger, err := os.ReadFile(filepath.Join(w.state, "local", "local", "pods.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(ledger), `"event":"started"`); n != 2 {
		t.Errorf("want one pod of each release:\n%s", ledger)
	}
}
