package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

func set(image, more string) string {
	return `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}` + more + `
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: ` + image + `
        readinessProbe: {tcpSocket: {port: 8080}}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}`
}

func partition(n int) string {
	return fmt.Sprintf("\n  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: %d}}", n)
}

func TestStatefulSetPartition(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(set("web:1", ""))
	a.awaitSettled("StatefulSet/db")
	var order []string
	for _, l := range a.ledger() {
		order = append(order, l["name"].(string))
	}
	if got := strings.Join(order, " "); got != "db-0 db-1 db-2" {
		t.Errorf("pods were started in the order %s", got)
	}

	a.apply(set("web:2", partition(2)))
	a.await("StatefulSet/db", "updates down to the partition", func(o sluice.Object) bool {
		return o.Number(0, "status", "updatedReplicas") == 1 && ready(3)(o)
	})
	if got := a.images(); got != "db-0=web:1 db-1=web:1 db-2=web:2" {
		t.Errorf("with the partition 2 the pods are %s", got)
	}
	o := a.get("StatefulSet/db")
	if o.Text("status", "currentRevision") == o.Text("status", "updateRevision") {
		t.Error("the update counts as finished")
	}

	a.apply(set("web:2", partition(0)))
	o = a.awaitSettled("StatefulSet/db")
	if got := a.images(); got != "db-0=web:2 db-1=web:2 db-2=web:2" {
		t.Errorf("without a partition the pods are %s", got)
	}
	if o.Text("status", "currentRevision") != o.Text("status", "updateRevision") {
		t.Errorf("the update does not count as finished: %v", o.Field("status"))
	}
	if claim := a.get("PersistentVolumeClaim/data-db-1"); claim.Text("status", "phase") != "Bound" {
		t.Errorf("the claim is %v", claim)
	}
}

func (a *account) images() string {
	pods, err := a.Pods(a.ctx, "test")
	if err != nil {
		a.t.Fatal(err)
	}
	var all []string
	for _, p := range pods {
		all = append(all, p.Name+"="+p.Image)
	}
	return strings.Join(all, " ")
}

// TestStatefulSetBrokenRevision rolls back from a revision that never gets ready. Kubernetes does not do so by itself.
func TestStatefulSetBrokenRevision(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(set("web:1", ""))
	a.awaitSettled("StatefulSet/db")
	a.apply(set("broken:1", ""))
	a.await("StatefulSet/db", "is stuck", func(o sluice.Object) bool {
		return o.Number(0, "status", "updatedReplicas") == 1 && ready(2)(o)
	})
	if got := a.images(); got != "db-0=web:1 db-1=web:1 db-2=broken:1" {
		t.Errorf("the broken revision reached %s", got)
	}
	a.apply(set("web:1", ""))
	a.awaitSettled("StatefulSet/db")
}

func job(args, more string) string {
	return `
apiVersion: batch/v1
kind: Job
metadata: {name: work}
spec:` + more + `
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "exit:1", args: [` + args + `]}]}`
}

func ended(o sluice.Object) bool {
	return strings.HasPrefix(condition(o, "Complete"), "True") || strings.HasPrefix(condition(o, "Failed"), "True")
}

func TestJob(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		manifest          string
		condition         string
		succeeded, failed int
	}{
		"success":             {job(`"0"`, "\n  completions: 2"), "Complete", 2, 0},
		"failure":             {job(`"4"`, "\n  backoffLimit: 0"), "Failed", 0, 1},
		"failure after tries": {job(`"4"`, "\n  backoffLimit: 1"), "Failed", 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t)
			a.apply(tt.manifest)
			o := a.await("Job/work", "ends", ended)
			if condition(o, tt.condition) == "" || o.Number(0, "status", "succeeded") != tt.succeeded ||
				o.Number(0, "status", "failed") != tt.failed {
				t.Errorf("the Job ended as %v", o.Field("status"))
			}
			lines, err := a.Logs(a.ctx, "test", a.ledger()[0]["name"].(string), 10)
			if err != nil || len(lines) != 1 || !strings.HasPrefix(lines[0], "exiting with") {
				t.Errorf("logs of the Job's pod: %q, %v", lines, err)
			}
		})
	}
}

func TestSuspendedJobSaysSo(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(job(`"0"`, "\n  suspend: true"))
	suspended := func(o sluice.Object) bool { return condition(o, "Suspended") == "True JobSuspended" }
	if o := a.await("Job/work", "is suspended", suspended); len(a.pods()) > 0 {
		t.Errorf("pods of the suspended Job run: %v", o.Field("status"))
	}
	a.apply(job(`"0"`, "\n  suspend: false"))
	if o := a.await("Job/work", "ends", ended); condition(o, "Suspended") != "False JobResumed" {
		t.Errorf("the resumed Job ended as %v", o.Field("status"))
	}
}

// TestJobOutlivesAgent kills the agent while the Job runs and lets it end while nobody looks: its status is known
// all the same, and it is not run again.
func TestJobOutlivesAgent(t *testing.T) {
	t.Parallel()
	a := open(t)
	pipe := filepath.Join(t.TempDir(), "go")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	a.apply(strings.Replace(job(`"0"`, ""), "name: main,", "name: main, env: [{name: WAIT_FOR, value: "+pipe+"}],", 1))
	a.await("Job/work", "runs", func(o sluice.Object) bool { return o.Number(0, "status", "ready") == 1 })
	pod := a.ledger()[0]
	go func() {
		f, err := os.OpenFile(pipe, os.O_WRONLY, 0) // opens once the program reads
		if err == nil {
			f.Close()
		}
	}()
	a.killAgent()
	for _, id := range marked(t, "SLUICE_POD="+pod["uid"].(string)) {
		awaitEnd(t, id)
	}
	o := a.await("Job/work", "ends", ended)
	if condition(o, "Complete") == "" || o.Number(0, "status", "succeeded") != 1 {
		t.Errorf("the Job ended as %v", o.Field("status"))
	}
	started := 0
	for _, l := range a.ledger() {
		if l["event"] == "started" {
			started++
		}
	}
	if started != 1 {
		t.Errorf("the Job ran %d times", started)
	}
}

// TestTail hears all that a pod writes, and ends with the pod.
func TestTail(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(job(`"0"`, ""))
	a.await("Job/work", "runs", func(o sluice.Object) bool { return o.Number(0, "status", "active") > 0 || ended(o) })
	var lines []string
	for line, err := range a.Tail(a.ctx, "test", a.ledger()[0]["name"].(string)) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "exiting with") {
		t.Errorf("it wrote %q", lines)
	}
	for _, err := range a.Tail(a.ctx, "test", "nobody") {
		if sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("a pod that is not there: %v", err)
		}
	}
}

// An object that is being deleted is not absent: its last state comes when it is gone.
func TestFollowAwaitsTheEnd(t *testing.T) {
	a := open(t)
	a.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "speak:1", lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}}]}`)
	web := ref(t, "Deployment/web")
	uid := a.await("Deployment/web", "it is ready", settled).Text("metadata", "uid")
	deleted := make(chan error, 1)
	go func() { deleted <- a.Delete(a.ctx, web) }()
	for ending := false; !ending; {
		o, err := a.Get(a.ctx, web)
		if err != nil {
			t.Fatal(err)
		}
		ending = o.Text("metadata", "deletionTimestamp") != ""
	}
	for o, err := range a.Follow(a.ctx, web) {
		if err != nil || o.Text("metadata", "uid") != uid || o.Text("metadata", "deletionTimestamp") == "" {
			t.Errorf("told of %v, %v", o, err)
		}
		break
	}
	if err := <-deleted; err != nil {
		t.Error(err)
	}
}
