package faulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A world is a directory with a deploy file, a sluice.yaml and the state that sluice keeps there.
type world struct {
	t     *testing.T
	dir   string
	state string
	env   []string
}

// An outcome is what one call of sluice came to.
type outcome struct {
	status         int
	stdout, stderr string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit status %d\n-- stdout --\n%s-- stderr --\n%s", o.status, o.stdout, o.stderr)
}

// newWorld makes a world whose sluice.yaml maps every program to the image of its name, followed by more.
func newWorld(t *testing.T, more string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, state: filepath.Join(dir, ".sluice")}
	w.env = append(os.Environ(), "NO_COLOR=1", "TZ=UTC")
	var images strings.Builder
	for name := range programs {
		fmt.Fprintf(&images, "      %q: {command: [%q], env: {FAULT_PROGRAM: %s}}\n", name, own, name)
	}
	w.write("sluice.yaml", "accounts:\n  local:\n    images:\n"+images.String()+more)
	t.Cleanup(w.down)
	return w
}

// down ends everything that runs. Doing it twice is harmless.
func (w *world) down() {
	w.t.Helper()
	if out := w.sluice("local", "down", "--yes"); out.status != 0 {
		w.t.Errorf("local down: %s", out)
	}
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// command is a call of sluice, at most a minute long.
func (w *world) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, append(args, "--state", w.state)...)
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

func (w *world) sluice(args ...string) outcome {
	w.t.Helper()
	return w.finish(w.command(args...))
}

func (w *world) finish(cmd *exec.Cmd) outcome {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		w.t.Errorf("%s: %v", cmd, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// deploy runs the deploy file with the text.
func (w *world) deploy(text string) outcome {
	w.t.Helper()
	w.write("deploy.yaml", text)
	return w.sluice("run", "-f", "deploy.yaml")
}

func (w *world) mustDeploy(text string) {
	w.t.Helper()
	if out := w.deploy(text); out.status != 0 {
		w.t.Fatalf("the deployment was to succeed: %s", out)
	}
}

// says fails the test unless the call ended with the status and said everything.
func (w *world) says(out outcome, status int, texts ...string) {
	w.t.Helper()
	all := out.stdout + out.stderr
	for _, text := range texts {
		if !strings.Contains(all, text) {
			w.t.Errorf("it does not say %q: %s", text, out)
			return
		}
	}
	if out.status != status {
		w.t.Errorf("want exit status %d: %s", status, out)
	}
}

// things is everything that a deployment can change on the account: what each object asks for, and each file of the
// volumes.
func (w *world) things() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	account := filepath.Join(w.state, "local", "local")
	w.walk(filepath.Join(account, "objects"), func(path string, d fs.DirEntry) {
		if !d.IsDir() && strings.HasSuffix(path, ".json") {
			all[path] = w.applied(path)
		}
	})
	w.walk(filepath.Join(account, "volumes"), func(path string, d fs.DirEntry) {
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			all[path], _ = os.Readlink(path)
		case !d.IsDir():
			all[path] = "file"
		case d.IsDir():
			all[path] = "directory"
		}
	})
	return all
}

// applied is what the object was given, its defaults included.
func (w *world) applied(path string) string {
	var entry struct{ Applied json.RawMessage }
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &entry)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return string(entry.Applied)
}

func (w *world) walk(dir string, visit func(path string, d fs.DirEntry)) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			visit(path, d)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
}

// unchanged fails the test unless objects, volumes and the count of running pods are as they were.
func (w *world) unchanged(before map[string]string, pods int) {
	w.t.Helper()
	if diff := cmp.Diff(before, w.things()); diff != "" {
		w.t.Errorf("not everything was put back (-before +after):\n%s", diff)
	}
	out := w.sluice("local", "ps", "-o", "json")
	for range 100 { // pods that are replaced may take their time to end, and nothing tells the command when
		if list := w.pods(out); len(list) <= pods {
			break
		}
		out = w.sluice("local", "ps", "-o", "json")
	}
	list := w.pods(out)
	if len(list) != pods || slices.Contains(list, false) {
		w.t.Errorf("%d ready pods are to run: %s", pods, out)
	}
}

// pods tells of each pod whether it is ready.
func (w *world) pods(ps outcome) []bool {
	w.t.Helper()
	var list struct{ Items []struct{ Ready bool } }
	if err := json.Unmarshal([]byte(ps.stdout), &list); err != nil {
		w.t.Fatalf("%v: %s", err, ps)
	}
	ready := make([]bool, len(list.Items))
	for i, p := range list.Items {
		ready[i] = p.Ready
	}
	return ready
}

// deployFile is a file with one target, production, of the application shop; more stands at its top level.
func deployFile(target, more, manifests string) string {
	if target != "" {
		target = "\n" + indent(4, target)
	}
	return `version: v1
kind: kubernetes
application: shop
deploymentConfig: {timeout: 1m}
targets:
  production:
    account: local
    namespace: production
    strategy: rolling` + target + `
strategies:
  rolling: {canary: {steps: [{setWeight: {weight: 100}}]}}
` + strings.TrimPrefix(more, "\n") + `
manifests:
  - inline: |
` + indent(6, manifests) + "\n"
}

func indent(n int, text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	return strings.Repeat(" ", n) + strings.Join(lines, "\n"+strings.Repeat(" ", n))
}

// deployment is a Deployment that is given up after two seconds without progress.
func deployment(name, image, release, container string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  progressDeadlineSeconds: 2
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: ` + name + `
          image: ` + image + `
          env: [{name: RELEASE, value: "` + release + `"}]
` + indent(10, container)
}

const probe = "readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}"

const service = `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 8080}]`

func join(documents ...string) string { return strings.Join(documents, "\n---\n") }
