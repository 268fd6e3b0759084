package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// An account is a local account of its own for one test.
type account struct {
	*local.Account
	t   *testing.T
	ctx context.Context
	dir string
}

func open(t *testing.T) *account {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t *testing.T, dir string) *account {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	a := &account{t: t, ctx: ctx, dir: dir}
	a.dial()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		id := a.id()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(a.dir, "agent.log"))
			t.Logf("agent.log:\n%s", log)
		}
		if err := a.Down(ctx); err != nil {
			t.Error(err)
		}
		if left := marked(t, "SLUICE_ACCOUNT="+id); id != "" && len(left) > 0 {
			t.Errorf("processes left after Down: %v", left)
		}
	})
	return a
}

// id returns the mark of the account's processes, "" if the directory is gone.
func (a *account) id() string {
	a.t.Helper()
	id, err := os.ReadFile(filepath.Join(a.dir, "id"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.t.Error(err)
	}
	return string(id)
}

func (a *account) dial() {
	a.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		a.t.Fatal(err)
	}
	images := map[string]local.Image{}
	for name := range programs {
		for _, version := range []string{"1", "2"} {
			images[name+":"+version] = local.Image{Command: []string{exe},
				Env: map[string]string{"PROGRAM": name, "VERSION": version}}
		}
	}
	for _, version := range []string{"1", "2"} {
		images["broken:"+version] = local.Image{Command: []string{"/does/not/exist"}}
	}
	if a.Account, err = local.Dial(a.ctx, local.Config{Dir: a.dir, Name: "test", Images: images}); err != nil {
		a.t.Fatal(err)
	}
}

// apply applies every document of the YAML text.
func (a *account) apply(text string) {
	a.t.Helper()
	for _, o := range objects(a.t, text) {
		if _, _, err := a.Apply(a.ctx, o, false); err != nil {
			a.t.Fatalf("apply %s: %v", o.Ref(), err)
		}
	}
}

func objects(t *testing.T, text string) []sluice.Object {
	t.Helper()
	var all []sluice.Object
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var o sluice.Object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if o.Text("metadata", "namespace") == "" && o.Text("kind") != "Namespace" {
			o.Set("test", "metadata", "namespace")
		}
		all = append(all, o)
	}
	return all
}

func ref(t *testing.T, s string) sluice.Ref {
	t.Helper()
	r, err := sluice.ParseRef(s, "test")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// await watches the object until it is as wanted.
func (a *account) await(object string, reason string, wanted func(sluice.Object) bool) sluice.Object {
	a.t.Helper()
	r := ref(a.t, object)
	var last sluice.Object
	for o, err := range a.Watch(a.ctx, r.APIVersion, r.Kind, r.Namespace) {
		if err != nil {
			b, _ := json.MarshalIndent(last, "", " ")
			pods, _ := a.Pods(context.Background(), "")
			a.t.Fatalf("%s: %s: %v; last seen:\n%s\npods: %+v", object, reason, err, b, pods)
		}
		if o.Text("metadata", "name") != r.Name {
			continue
		}
		if last = o; wanted(o) {
			return o
		}
	}
	return nil
}

// settled reports whether the workload has rolled out.
func settled(o sluice.Object) bool {
	want := o.Number(1, "spec", "replicas")
	return o.Number(0, "status", "observedGeneration") == o.Number(0, "metadata", "generation") &&
		o.Number(0, "status", "updatedReplicas") == want && o.Number(0, "status", "replicas") == want &&
		o.Number(0, "status", "availableReplicas") == want
}

func (a *account) awaitSettled(object string) sluice.Object {
	a.t.Helper()
	return a.await(object, "rolls out", settled)
}

func condition(o sluice.Object, kind string) string {
	list, _ := o.Field("status", "conditions").([]any)
	for _, c := range list {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m["status"].(string) + " " + m["reason"].(string)
		}
	}
	return ""
}

func (a *account) get(object string) sluice.Object {
	a.t.Helper()
	o, err := a.Get(a.ctx, ref(a.t, object))
	if err != nil {
		a.t.Fatal(err)
	}
	return o
}

// fetch asks a Service for a path.
func (a *account) fetch(service, path string) string {
	a.t.Helper()
	body, err := a.tryFetch(service, path)
	if err != nil {
		a.t.Fatal(err)
	}
	return body
}

func (a *account) tryFetch(service, path string) (string, error) {
	address, err := a.Address(a.ctx, "test", service, 8080)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(a.ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", sluice.Errorf(sluice.Failed, "status %d: %s", resp.StatusCode, b)
	}
	return string(b), err
}

func (a *account) pods() map[string]sluice.Pod {
	a.t.Helper()
	list, err := a.Pods(a.ctx, "test")
	if err != nil {
		a.t.Fatal(err)
	}
	pods := map[string]sluice.Pod{}
	for _, p := range list {
		pods[p.Name] = p
	}
	return pods
}

// ledger returns the lines of pods.jsonl.
func (a *account) ledger() []map[string]any {
	a.t.Helper()
	f, err := os.Open(filepath.Join(a.dir, "pods.jsonl"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	var lines []map[string]any
	for s := bufio.NewScanner(f); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			a.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func marked(t *testing.T, mark string) []process.Identity {
	t.Helper()
	ids, err := process.Find(mark)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// agentProcess returns the agent, found by the lock that it holds.
func (a *account) agentProcess() process.Identity {
	a.t.Helper()
	f, err := os.Open(filepath.Join(a.dir, "agent.pid"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	var id process.Identity
	if err := json.NewDecoder(f).Decode(&id); err != nil {
		a.t.Fatal(err)
	}
	return id
}

// killAgent ends the agent at once and waits until it is gone.
func (a *account) killAgent() {
	a.t.Helper()
	a.kill(a.agentProcess())
}

// kill kills the process and returns when it is gone: until then it may still listen.
func (a *account) kill(id process.Identity) {
	a.t.Helper()
	p, err := process.Adopt(id)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		a.t.Fatal(err)
	}
	<-p.Done()
}

const webService = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 8080}]`

// webDeployment is a Deployment of the program "web".
func webDeployment(name, version string, replicas string, more string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  replicas: ` + replicas + `
  selector: {matchLabels: {app: web, of: ` + name + `}}
  template:
    metadata: {labels: {app: web, of: ` + name + more + `}}
    spec:
      containers:
      - name: web
        image: "web:` + version + `"
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, failureThreshold: 1}`
}
