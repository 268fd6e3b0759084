package stateful_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

const (
	mounts = `volumeMounts: [{name: data, mountPath: /data}]`
	claims = `volumeClaimTemplates: [{metadata: {name: data}, ` +
		`spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}]`
)

func TestVolumesKeepTheirData(t *testing.T) {
	t.Parallel()
	s := newStore(t, gated)
	s.Value("Mounts", mounts)
	s.Value("Claims", claims)
	s.installed()
	volumes := s.volumes()

	s.file(stepwise, "")
	s.release("v2")
	s.Run()
	s.expect("v2 v2 v2")
	s.journals("v1 v2", "v1 v2", "v1 v2")

	before := s.Snapshot()
	s.file(gated, "")
	s.release("v3")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.must("reject")
	r := s.RollsBack(p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	s.expect("v2 v2 v2")
	s.journals("v1 v2", "v1 v2", "v1 v2 v3 v2")
	s.Unchanged(before)
	if now := s.volumes(); now != volumes {
		t.Errorf("the claims are of the volumes %s, and were of %s", now, volumes)
	}
}

// volumes returns the volumes of the claims.
func (s store) volumes() string {
	s.Helper()
	var words []string
	for _, c := range s.List("PersistentVolumeClaim", "") {
		words = append(words, c.Text("metadata", "name")+"="+c.Text("spec", "volumeName"))
	}
	return strings.Join(words, " ")
}

// journals fails unless exactly these versions wrote into each pod's volume.
func (s store) journals(want ...string) {
	s.Helper()
	for i, pod := range []string{"store-0", "store-1", "store-2"} {
		text, err := s.Ask(pod, "/journal")
		if err != nil {
			s.Fatal(err)
		}
		if got := strings.Join(strings.Fields(text), " "); got != want[i] {
			s.Errorf("the journal of %s has %q, want %q", pod, got, want[i])
		}
	}
}

// daemon has one pod, because a cluster has one node.
const daemon = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: store}
spec:
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: store
          image: {{.Image}}
          imagePullPolicy: Never
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          env: [{name: VERSION, value: "{{.Version}}"}]
          readinessProbe: {httpGet: {path: /version, port: http}, periodSeconds: 1}
`

func TestDaemonSet(t *testing.T) {
	t.Parallel()
	s := newStore(t, "canary: {steps: [{setWeight: {weight: 0}}, {pause: {untilApproved: true}}, "+
		"{setWeight: {weight: 100}}, {pause: {untilApproved: true}}]}")
	s.Write("manifests/store.yaml", daemon)
	s.Run()
	s.expect("v1")
	before := s.Snapshot()

	s.Value("Version", "v2")
	s.Write("manifests/store.yaml", daemon)
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.expect("v1")
	s.approve()
	p.Await(waits("production/canary/3"))
	s.expect("v2")
	if got := s.Get("DaemonSet", "store").Text("spec", "updateStrategy", "type"); got != "OnDelete" {
		t.Errorf("in mid-rollout the strategy is %s", got)
	}
	s.must("reject")
	r := s.RollsBack(p)
	t.Logf("took %s\n%s", r.Took, r.Story())
	s.expect("v1")
	s.unchangedDaemon(before)

	p = s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.approve()
	p.Await(waits("production/canary/3"))
	s.approve()
	s.Ends(sluice.StatusSucceeded, p)
	s.expect("v2")
	if got := s.Get("DaemonSet", "store").Text("spec", "updateStrategy", "type"); got != "RollingUpdate" {
		t.Errorf("afterwards the strategy is %s", got)
	}
}

// unchangedDaemon ignores the number of templates, which a DaemonSet counts in an annotation.
func (s store) unchangedDaemon(before map[string]any) {
	s.Helper()
	now := s.Snapshot()
	for _, all := range []map[string]any{before, now} {
		d := all["DaemonSet/store"].(sluice.Object)
		delete(d["metadata"].(map[string]any), "annotations")
	}
	s.Unchanged(before, "DaemonSet/store")
	was, is := before["DaemonSet/store"].(sluice.Object), now["DaemonSet/store"].(sluice.Object)
	if !equal(was, is) {
		s.Errorf("the DaemonSet was %v and is %v", was, is)
	}
}
