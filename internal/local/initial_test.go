package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// said returns what the containers have written to the file, in their order.
func said(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(data)), " ")
}

// says is a container that writes its name to the file.
func says(name, file, then, more string) string {
	return fmt.Sprintf(`{name: %s, image: "web:1", command: [sh, -c, 'echo %[1]s >> %s; %s'], %s}`, name, file, then, more)
}

// lasts is the rest of a program that runs until it is asked to end, which it writes to the file.
func lasts(name, file string) string {
	return fmt.Sprintf(`trap "echo %s-ends >> %s; exit 0" TERM; while true; do sleep 0.1; done`, name, file)
}

// proxy is a sidecar that has started when it has written its name.
func proxy(file string) string {
	then := strings.Replace(lasts("proxy", file), "while", "echo up >> "+file+".up; while", 1)
	return says("proxy", file, then,
		`restartPolicy: Always, startupProbe: {exec: {command: [test, -e, `+file+`.up]}, periodSeconds: 1}`)
}

func podOf(kind, more, initial, containers string) string {
	selector := "\n  selector: {matchLabels: {of: it}}"
	if kind == "Job" {
		selector = ""
	}
	api := map[string]string{"Deployment": "apps/v1", "Job": "batch/v1"}[kind]
	return fmt.Sprintf(`
apiVersion: %s
kind: %s
metadata: {name: it}
spec:%s
  template:
    metadata: {labels: {of: it}}
    spec:
      %s
      initContainers: [%s]
      containers: [%s]`, api, kind, selector, more, initial, containers)
}

func TestInitContainersRunInTheirOrder(t *testing.T) {
	t.Parallel()
	a := open(t)
	file := filepath.Join(t.TempDir(), "said")
	a.apply(podOf("Deployment", "terminationGracePeriodSeconds: 5", strings.Join([]string{
		says("first", file, "sleep 0.3", ""),
		proxy(file),
		says("second", file, "sleep 0.3", ""),
	}, ", "), says("main", file, lasts("main", file), "")))
	a.awaitSettled("Deployment/it")
	if got := said(t, file); got != "first proxy second main" {
		t.Errorf("the containers began in the order %s", got)
	}
	for _, p := range a.pods() {
		if !p.Ready || p.Restarts != 0 || p.Reason != "" {
			t.Errorf("the pod is %+v", p)
		}
	}

	// Another agent starts none of them again.
	a.killAgent()
	a.dial()
	a.awaitSettled("Deployment/it")
	if got := said(t, file); got != "first proxy second main" {
		t.Errorf("after the agent was killed the containers are %s", got)
	}

	if err := a.Delete(a.ctx, ref(t, "Deployment/it")); err != nil {
		t.Fatal(err)
	}
	if got := said(t, file); got != "first proxy second main main-ends proxy-ends" {
		t.Errorf("the sidecar does not end last: %s", got)
	}
}

func TestFailedInitContainerIsRepeatedAndNamed(t *testing.T) {
	t.Parallel()
	a := open(t)
	dir := t.TempDir()
	file, healed := filepath.Join(dir, "said"), filepath.Join(dir, "healed")
	a.apply(podOf("Deployment", "", says("setup", file, "test -e "+healed, ""), says("main", file, "sleep 1000", "")))
	a.await("Deployment/it", "has restarted its init container", func(sluice.Object) bool {
		for _, p := range a.pods() {
			return p.Restarts > 0 && p.Reason == "setup: exited with status 1"
		}
		return false
	})
	if got := said(t, file); strings.Contains(got, "main") {
		t.Errorf("the containers began in the order %s", got)
	}
	if err := os.WriteFile(healed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.awaitSettled("Deployment/it")
}

func TestSidecarDoesNotKeepAJobFromEnding(t *testing.T) {
	t.Parallel()
	a := open(t)
	file := filepath.Join(t.TempDir(), "said")
	a.apply(podOf("Job", "restartPolicy: Never", proxy(file), says("work", file, "true", "")))
	a.await("Job/it", "succeeds", func(o sluice.Object) bool { return o.Number(0, "status", "succeeded") == 1 })
	if got := said(t, file); got != "proxy work proxy-ends" {
		t.Errorf("the containers are %s", got)
	}
}

// The output of several containers has their names, and the busy one does not hide the others.
func TestLogsOfSeveralContainersAreTold(t *testing.T) {
	t.Parallel()
	a := open(t)
	said := filepath.Join(t.TempDir(), "said")
	container := func(name, says string) string {
		return fmt.Sprintf(`{name: %s, image: "web:1", command: [sh, -c, '%s; touch %s.%[1]s; exec sleep 1000'],
			readinessProbe: {exec: {command: [test, -e, %[3]s.%[1]s]}, periodSeconds: 1}}`, name, says, said)
	}
	setup := `{name: setup, image: "web:1", command: [sh, -c, "echo ready for main"]}`
	a.apply(podOf("Deployment", "", setup, container("main", "echo lost")+", "+container("proxy",
		"until test -e "+said+".main; do sleep 0.1; done; for i in 1 2 3 4 5 6 7 8 9; do echo request $i; done")))
	a.awaitSettled("Deployment/it")
	for _, p := range a.pods() {
		lines, err := a.Logs(a.ctx, p.Namespace, p.Name, 4)
		want := []string{"main: lost", "proxy: request 7", "proxy: request 8", "proxy: request 9"}
		if err != nil || !slices.Equal(lines, want) {
			t.Errorf("%q, %v", lines, err)
		}
	}
}

func TestFailedInitContainerFailsAJob(t *testing.T) {
	t.Parallel()
	a := open(t)
	file := filepath.Join(t.TempDir(), "said")
	text := podOf("Job", "restartPolicy: Never", says("setup", file, "exit 4", ""), says("work", file, "true", ""))
	a.apply(strings.Replace(text, "spec:", "spec:\n  backoffLimit: 0", 1))
	a.await("Job/it", "fails", func(o sluice.Object) bool { return o.Number(0, "status", "failed") == 1 })
	if got := said(t, file); got != "setup" {
		t.Errorf("the containers are %s", got)
	}
}
