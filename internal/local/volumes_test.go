package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
)

const claims = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: one}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: two}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}`

// twinWriter writes one counter to two claims, to the first one first.
const twinWriter = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: twins}
spec:
  selector: {matchLabels: {app: twins}}
  template:
    metadata: {labels: {app: twins}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes:
      - {name: one, persistentVolumeClaim: {claimName: one}}
      - {name: two, persistentVolumeClaim: {claimName: two}}
      containers:
      - name: main
        image: twins:1
        args: [/one, /two]
        volumeMounts: [{name: one, mountPath: /one}, {name: two, mountPath: /two}]`

// writing waits until the twin writer has written to both claims.
func (a *account) writing() {
	a.t.Helper()
	a.awaitSettled("Deployment/twins")
	file := filepath.Join(a.dir, "volumes", "test", "two", "initial", "second")
	awaitWrite(a.t, file, func() bool { _, err := os.Stat(file); return err == nil })
}

// TestCutIsOneInstant copies two claims while a counter runs through both: no copy may show the second file ahead
// of the first one, or more than the one step behind that the writer itself may be.
func TestCutIsOneInstant(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(claims + "\n---\n" + twinWriter)
	a.writing()
	last := -1 // the counter begins at 0
	for _, generation := range []string{"cut-a", "cut-b", "cut-c"} {
		cut, err := a.Cut(a.ctx, "test", []string{"one", "two"}, generation, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		first, second := number(t, cut.Volumes[0].Dir+"/first"), number(t, cut.Volumes[1].Dir+"/second")
		if first < second || first > second+1 || first <= last {
			t.Errorf("%s holds %d and %d after %d", generation, first, second, last)
		}
		if cut.Pause <= 0 || cut.Pause > 5*time.Second || time.Since(cut.At) > 20*time.Second {
			t.Errorf("%s took %s at %s", generation, cut.Pause, cut.At)
		}
		last = first
		again, err := a.Cut(a.ctx, "test", []string{"one", "two"}, generation, 10*time.Second)
		if d := cmp.Diff(cut, again); d != "" || err != nil {
			t.Errorf("the same Cut again (-first +again):\n%s%v", d, err)
		}
	}
	a.running()
}

// running fails unless the twin writer goes on writing.
func (a *account) running() {
	a.t.Helper()
	file := filepath.Join(a.dir, "volumes", "test", "one", "initial", "first")
	was := number(a.t, file)
	awaitWrite(a.t, file, func() bool { return number(a.t, file) > was })
}

func number(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range b {
		n = 10*n + int(c-'0')
	}
	return n
}

// TestAgentDiesInCut kills the agent while the pods stand still; the watchdog lets them run again, and nothing
// half-made is left.
func TestAgentDiesInCut(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(claims + "\n---\n" + twinWriter)
	a.writing()
	// A file that takes long to copy: the Cut is under way when the agent is killed. On a busy machine this test may
	// notice too late, so it tries again.
	big := filepath.Join(a.dir, "volumes", "test", "one", "initial", "big")
	fill(t, big, 256<<20)
	pod := a.ledger()[0]["uid"].(string)
	id := marked(t, "SLUICE_POD="+pod)[0]
	agent := a.agentProcess()
	dead, result := a.cutUnderWay(id)
	a.kill(agent)
	if err := <-result; sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("the Cut says %v, want Unavailable", err)
	}
	a.running()
	a.dial()
	a.awaitSettled("Deployment/twins")
	for _, left := range []string{".part-" + dead, dead, ".cut-" + dead + ".json"} {
		if _, err := os.Stat(filepath.Join(a.dir, "volumes", "test", "one", left)); err == nil {
			t.Errorf("%s is left", left)
		}
	}
	if !id.Alive() {
		t.Error("the pod's process was not adopted")
	}
}

// cutUnderWay begins a Cut and returns its generation while the process stands still.
func (a *account) cutUnderWay(id process.Identity) (generation string, result chan error) {
	a.t.Helper()
	for try := range 5 {
		generation, result = fmt.Sprintf("dead%d", try), make(chan error, 1)
		part := filepath.Join(a.dir, "volumes", "test", "one", ".part-"+generation)
		go func() {
			_, err := a.Cut(a.ctx, "test", []string{"one", "two"}, generation, 30*time.Second)
			result <- err
		}()
		awaitWrite(a.t, part, func() bool { _, err := os.Stat(part); return err == nil })
		if process.Stopped(id) {
			return generation, result
		}
		if err := <-result; err != nil {
			a.t.Fatal(err)
		}
	}
	a.t.Fatal("no copy was seen under way while the pod stood still")
	return "", nil
}

func fill(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := []byte(strings.Repeat("not a hole ", 1<<20/11))
	for written := 0; written < n; written += len(block) {
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCutRefuses(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(claims)
	for name, tt := range map[string]struct {
		claims     []string
		generation string
		want       sluice.Code
	}{
		"an unknown claim": {[]string{"one", "three"}, "x", sluice.NotFound},
		"no claim":         {nil, "x", sluice.Invalid},
		"a path":           {[]string{"one"}, "../x", sluice.Invalid},
	} {
		if _, err := a.Cut(a.ctx, "test", tt.claims, tt.generation, time.Second); sluice.ErrorCode(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	left, err := filepath.Glob(filepath.Join(a.dir, "volumes", "test", "*", "*"))
	if err != nil || len(left) != 4 { // current and initial of two claims
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestGenerations(t *testing.T) {
	t.Parallel()
	a := open(t)
	one := objects(t, claims)[0]
	// A generation can be staged and used before the claim is there.
	v, err := a.Stage(a.ctx, one, "new", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.Dir+"/first", []byte("7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if before, err := a.Use(a.ctx, one, "new"); before != "" || err != nil {
		t.Errorf("Use: %q, %v", before, err)
	}
	a.apply(claims + "\n---\n" + twinWriter)
	a.awaitSettled("Deployment/twins")
	claim := a.get("PersistentVolumeClaim/one")
	volume := claim.Text("spec", "volumeName")
	if _, outcome, err := a.Apply(a.ctx, claim, false); volume != "new" || outcome != sluice.Unchanged {
		t.Errorf("apply of the claim as read back, with the volume %q: %v, %v", volume, outcome, err)
	}
	if _, err := a.Stage(a.ctx, one, "other", ""); err != nil {
		t.Fatal(err)
	}
	if before, err := a.Use(a.ctx, one, "new"); before != "new" || err != nil {
		t.Errorf("Use of the current one: %q, %v", before, err)
	}
	_, err = a.Use(a.ctx, one, "other")
	hint := sluice.ErrorHint(err)
	if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(hint, "Deployment/twins") {
		t.Errorf("Use while a pod uses the claim: %v (%s)", err, hint)
	}
	if err := a.Discard(a.ctx, "test", "one", "new"); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("Discard of the current one: %v", err)
	}
	if err := a.Delete(a.ctx, ref(t, "PersistentVolumeClaim/one")); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("Delete of a claim in use: %v", err)
	}
	a.apply(strings.Replace(twinWriter, "spec:\n  selector", "spec:\n  replicas: 0\n  selector", 1))
	a.await("Deployment/twins", "has no pods", func(o sluice.Object) bool {
		return settled(o) && o.Number(-1, "status", "terminatingReplicas") == 0
	})
	if before, err := a.Use(a.ctx, one, "other"); before != "new" || err != nil {
		t.Errorf("Use: %q, %v", before, err)
	}
	if got := a.get("PersistentVolumeClaim/one").Text("spec", "volumeName"); got != "other" {
		t.Errorf("the claim names the generation %q", got)
	}
	for range 2 {
		if err := a.Discard(a.ctx, "test", "one", "new"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(v.Dir); err == nil {
		t.Error("the discarded generation is there")
	}
	if _, err := a.Use(a.ctx, one, "new"); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("Use of a discarded one: %v", err)
	}
}

func TestDeleteNamespace(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(claims + "\n---\n" + twinWriter + "\n---\n" + webService)
	a.awaitSettled("Deployment/twins")
	if err := a.Delete(a.ctx, sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []string{"Deployment/twins", "Service/web", "PersistentVolumeClaim/one"} {
		if _, err := a.Get(a.ctx, ref(t, o)); sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("Get of %s says %v, want NotFound", o, err)
		}
	}
	if _, err := os.Stat(filepath.Join(a.dir, "volumes", "test")); err == nil {
		t.Error("the volumes are left")
	}
	if len(a.pods()) > 0 {
		t.Error("pods are left")
	}
}
