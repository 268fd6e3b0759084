package local_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func TestApplyIsIdempotent(t *testing.T) {
	t.Parallel()
	a := open(t)
	manifest := webDeployment("web", "1", "2", "")
	a.apply(webService + "\n---\n" + manifest)
	before := a.awaitSettled("Deployment/web")
	pods := a.pods()

	for name, o := range map[string]sluice.Object{"as written": objects(t, manifest)[0], "as read back": before} {
		got, outcome, err := a.Apply(a.ctx, o, false)
		if err != nil || outcome != sluice.Unchanged {
			t.Fatalf("apply the same Deployment %s: %v, %v", name, outcome, err)
		}
		if d := cmp.Diff(before["metadata"], got["metadata"]); d != "" {
			t.Errorf("apply the same Deployment %s (-before +after):\n%s", name, d)
		}
	}
	service := a.get("Service/web")
	if _, outcome, err := a.Apply(a.ctx, service, false); err != nil || outcome != sluice.Unchanged {
		t.Errorf("apply the same Service as read back: %v, %v", outcome, err)
	}
	if d := cmp.Diff(pods, a.pods()); d != "" {
		t.Errorf("pods changed (-before +after):\n%s", d)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	a := open(t)
	o, outcome, err := a.Apply(a.ctx, objects(t, webDeployment("web", "1", "1", ""))[0], true)
	if err != nil || outcome != sluice.Created || o.Text("kind") != "Deployment" {
		t.Fatalf("dry run: %v, %v, %v", o, outcome, err)
	}
	if _, err := a.Get(a.ctx, ref(t, "Deployment/web")); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("after a dry run Get says %v, want NotFound", err)
	}
}

// TestRollingUpdateLosesNoRequest changes the version back and forth under load.
func TestRollingUpdateLosesNoRequest(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	address, err := a.Address(a.ctx, "test", "web", 8080)
	if err != nil {
		t.Fatal(err)
	}

	var done atomic.Bool
	var requests, failures atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !done.Load() {
				resp, err := http.Post("http://"+address+"/?wait=2ms", "text/plain", strings.NewReader("an order"))
				requests.Add(1)
				if err != nil || resp.StatusCode != http.StatusOK {
					failures.Add(1)
					t.Logf("request failed: %v %v", resp, err)
					continue
				}
				resp.Body.Close()
			}
		})
	}
	for _, version := range []string{"2", "1", "2"} {
		a.apply(webDeployment("web", version, "2", ""))
		a.awaitSettled("Deployment/web")
	}
	done.Store(true)
	clients.Wait()
	if failures.Load() > 0 || requests.Load() < 100 {
		t.Errorf("%d of %d requests failed", failures.Load(), requests.Load())
	}
	if body := a.fetch("web", "/"); !strings.HasPrefix(body, "2 ") {
		t.Errorf("the Service answers %q, want version 2", body)
	}
}

// TestGracefulStop begins a long request and deletes the Deployment meanwhile.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "1", ""))
	a.awaitSettled("Deployment/web")
	answer := make(chan error, 1)
	began := make(chan struct{})
	go func() {
		close(began)
		_, err := a.tryFetch("web", "/?wait=700ms")
		answer <- err
	}()
	<-began
	for range 3 {
		a.fetch("web", "/")
	}
	if err := a.Delete(a.ctx, ref(t, "Deployment/web")); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the request under way when the pod was stopped: %v", err)
	}
	if pods := a.pods(); len(pods) > 0 {
		t.Errorf("pods are left after Delete: %v", pods)
	}
}

func TestBrokenRolloutKeepsTheOldVersion(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	broken := strings.Replace(webDeployment("web", "1", "2", ""), "web:1", "broken:1", 1)
	broken = strings.Replace(broken, "replicas: 2", "replicas: 2\n  progressDeadlineSeconds: 1", 1)
	a.apply(broken)
	a.await("Deployment/web", "is stuck", func(o sluice.Object) bool {
		return condition(o, "Progressing") == "False ProgressDeadlineExceeded"
	})
	if body := a.fetch("web", "/"); !strings.HasPrefix(body, "1 ") {
		t.Errorf("the Service answers %q, want version 1", body)
	}
	if o := a.get("Deployment/web"); o.Number(0, "status", "availableReplicas") < 2 {
		t.Errorf("a broken rollout took %v", o.Field("status"))
	}
	a.apply(webDeployment("web", "1", "2", ""))
	o := a.awaitSettled("Deployment/web")
	if condition(o, "Progressing") != "True NewReplicaSetAvailable" ||
		condition(o, "Available") != "True MinimumReplicasAvailable" {
		t.Errorf("conditions after the way back: %v", o.Field("status", "conditions"))
	}
}
