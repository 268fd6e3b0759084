package faulttest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// small mounts a disk of that size at the directory, and returns how to make it larger.
func (w *world) small(dir, size string) (grow func(size string)) {
	t := w.t
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		w.down() // without the disk nobody finds what runs
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(size string) {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "mode=0700,size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

// fill leaves no space on the disk until it is called back.
func fill(t *testing.T, dir string) (release func()) {
	t.Helper()
	file := filepath.Join(dir, "ballast")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	return func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

const filesDataset = `
datasets:
  orders: {engine: files, workload: StatefulSet/db, claims: [data]}`

const checkpointing = "constraints: {beforeDeployment: [{checkpointData: {dataset: orders}}]}"

func stored(release string) string {
	return join(claim, databaseService, database,
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: first}, data: {release: r"+release+"}}")
}

// TestAccountFull: a copy that does not fit is refused before anything stands still.
func TestAccountFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retryFor: 2s\n")
	grow := w.small(filepath.Join(w.state, "local"), "24m")
	w.mustDeploy(deployFile("", filesDataset, stored("1")))
	before := w.things()
	w.says(w.deploy(deployFile(checkpointing, filesDataset, stored("2"))), 1, "copying the claims needs 68 MiB and ",
		"hint: free space on the disk of "+w.state)
	w.unchanged(before, 1)
	w.says(w.sluice("data", "list"), 0, "there are no checkpoints")
	grow("300m")
	w.mustDeploy(deployFile(checkpointing, filesDataset, stored("2")))
	w.says(w.sluice("data", "list"), 0, "orders")
}

// TestRepositoryFull: of a checkpoint that does not fit nothing is listed, and the next one is whole.
func TestRepositoryFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retryFor: 2s\nrepository: {path: disk/repository}\n")
	disk := filepath.Join(w.dir, "disk")
	grow := w.small(disk, "2m")
	w.mustDeploy(deployFile("", filesDataset, stored("1")))
	before := w.things()
	out := w.deploy(deployFile(checkpointing, filesDataset, stored("2")))
	w.says(out, 1, "no space is left to copy in the repository "+disk, "hint: free space there", "ended: failed")
	w.unchanged(before, 1)
	w.says(w.sluice("data", "list"), 0, "there are no checkpoints")
	grow("100m")
	w.mustDeploy(deployFile(checkpointing, filesDataset, stored("2")))
	_, id, _ := strings.Cut(w.sluice("data", "list").stdout, "\n")
	w.says(w.sluice("data", "verify", strings.Fields(id)[0]), 0)
}

// TestMigrationFull: production's data does not fit into staging, where the disk fills up while it is copied.
func TestMigrationFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retryFor: 2s\n")
	disk := filepath.Join(w.state, "local")
	w.small(disk, "110m")
	w.mustDeploy(deployFile("", filesDataset, stored("1")))
	before := w.things()
	data := strings.Replace(filesDataset, "claims: [data]}",
		`claims: [data], quiesce: {before: [["true"]], after: [[sh, -c, "test -e `+w.dir+`/filled || head -c 200M `+
			`/dev/zero > `+disk+`/ballast; touch `+w.dir+`/filled"]]}}`, 1)
	text := strings.Replace(deployFile("", data, stored("2")), "  production:\n",
		"  staging: {account: local, namespace: staging, strategy: rolling, constraints: {beforeDeployment: "+
			"[{migrateData: {dataset: orders, from: production}}]}}\n  production:\n", 1)
	text = strings.Replace(text, "    namespace: production\n",
		"    namespace: production\n    constraints: {dependsOn: [staging]}\n", 1)
	r := w.begin(text)
	r.await("staging/before/0  is being undone")
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Error(err)
	}
	out := r.end()
	w.says(out, 1, "no space is left", "hint: free space on", "ended: rolledBack")
	w.unchanged(before, 1)
}

// TestLogFull: while the log cannot be written nothing goes on and nothing is lost; then everything does. A signal that
// cannot be kept is refused at once.
func TestLogFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "webhooks: {allow: [127.0.0.1]}\n")
	w.small(w.state, "24m")
	called, answer := make(chan struct{}), make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(called)
		<-answer
	}))
	t.Cleanup(hook.Close)
	text := deployFile("constraints: {beforeDeployment: [{pause: {untilApproved: true}}, {runWebhook: {name: hold}}]}",
		"webhooks: [{name: hold, method: POST, networkMode: direct, uriTemplate: "+hook.URL+", disableCallback: true}]",
		first)
	r := w.begin(text)
	r.await("waiting for an approval")
	<-called
	release := fill(t, w.state)
	w.says(w.sluice("approve"), 7, "free some space on the disk")
	close(answer)
	r.await("the store cannot be used; deployments stand still until it can")
	if !strings.Contains(r.said.String(), "free some space on the disk") {
		t.Errorf("there is no hint: %s", r.said.String())
	}
	release()
	w.says(w.sluice("approve"), 0)
	w.says(r.end(), 0, "ended: succeeded")

	release = fill(t, w.state)
	out := w.deploy(deployFile("", "", "{apiVersion: v1, kind: ConfigMap, metadata: {name: first}, data: {a: b}}"))
	if out.status == 0 || !strings.Contains(out.stderr, "hint: ") {
		t.Errorf("with a full disk: %s", out)
	}
	release()
	w.mustDeploy(deployFile("", "", "{apiVersion: v1, kind: ConfigMap, metadata: {name: first}, data: {a: b}}"))
}

// TestDownFull: everything ends although nothing of it can be recorded, and the account comes back when it can.
func TestDownFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	disk := filepath.Join(w.state, "local")
	w.small(disk, "8m")
	text := deployFile("", "", join(first, service, deployment("web", "web", "1", probe)))
	w.mustDeploy(text)
	release := fill(t, disk)
	w.says(w.sluice("local", "down", "--yes"), 7, "no space is left", "hint: free space on the disk")
	w.says(w.sluice("local", "ps"), 0, "no pods run here")
	release()
	w.mustDeploy(text)
	w.says(w.sluice("local", "ps"), 0, "web-", "true")
}
