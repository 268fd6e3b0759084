package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A workload that cannot become ready says so, and why, long before anybody's timeout.
func TestStalled(t *testing.T) {
	for name, test := range map[string]struct {
		container string
		within    time.Duration
		words     []string
	}{
		"image name": {`, image: "NOT/A/NAME"`, 30 * time.Second,
			[]string{"0 of 1 replicas ready", "pod web-", "InvalidImageName"}},
		"never pulled": {`, image: "docker.io/sluice-e2e/none:1"`, 30 * time.Second, []string{"ErrImageNeverPull"}},
		"image pull": {`, image: "127.0.0.1:1/none:1", imagePullPolicy: Always`, 2 * time.Minute,
			[]string{"127.0.0.1:1/none:1"}},
		"crash loop": {`, command: ["/none"]`, 3 * time.Minute, []string{"restarted 3 times"}},
		"config": {`, env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: k}}}]`, time.Minute,
			[]string{"CreateContainerConfigError", "none"}},
		"no node": {`, resources: {requests: {cpu: "1000"}}`, 2 * time.Minute, []string{"no node takes it", "cpu"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			web := w.deployment(1, "progressDeadlineSeconds: 600", "")
			w.broken(web, test.container)
			w.apply(web, sluice.Created)
			o := w.await(w.web(), test.within, func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Failed })
			got, err := w.Get(t.Context(), w.web())
			must(t, err)
			for _, word := range test.words {
				if !strings.Contains(manifest.Status(o).Message, word) {
					t.Errorf("%q does not say %q", manifest.Status(o).Message, word)
				}
			}
			t.Logf("%s", manifest.Status(o).Message)
			if s := manifest.Status(got); !strings.Contains(s.Message, "pod web-") {
				t.Errorf("Get says %+v", s)
			}
			if name == "image name" {
				w.repaired()
			}
		})
	}
}

// repaired applies a version that works: what stalled before does not count.
func (w *world) repaired() {
	w.apply(w.deployment(1, "progressDeadlineSeconds: 600", ""), sluice.Configured)
	o := w.await(w.web(), time.Minute,
		func(o sluice.Object) bool { return manifest.Status(o).Phase != manifest.InProgress })
	if s := manifest.Status(o); s.Phase != manifest.Ready {
		w.Errorf("repaired, it is %+v", s)
	}
}

func TestQuota(t *testing.T) {
	w := newWorld(t)
	w.apply(w.read("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: '1'}}}"),
		sluice.Created)
	w.await(w.ref("v1", "ResourceQuota", "q"), time.Minute,
		func(o sluice.Object) bool { return o.Text("status", "hard", "pods") == "1" })
	w.apply(w.deployment(2, "progressDeadlineSeconds: 600", ""), sluice.Created)
	set := w.read(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 1
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: %q, imagePullPolicy: Never}]}`, pause)
	o := w.await(w.web(), time.Minute, func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Failed })
	if s := manifest.Status(o); !strings.Contains(s.Message, "exceeded quota") {
		t.Errorf("the Deployment is %+v", s)
	}
	w.apply(set, sluice.Created)
	o = w.await(set.Ref(), time.Minute, func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Failed })
	if s := manifest.Status(o); !strings.Contains(s.Message, "exceeded quota") {
		t.Errorf("the StatefulSet is %+v", s)
	}
	if o, err := w.Get(t.Context(), set.Ref()); err != nil || manifest.Status(o).Phase != manifest.Failed {
		t.Errorf("Get says %+v, %v", manifest.Status(o), err)
	}
}

// While it waits, a workload says for what.
func TestWaitingSaysForWhat(t *testing.T) {
	w := newWorld(t)
	web := w.deployment(1, "", "")
	w.broken(web, `, readinessProbe: {tcpSocket: {port: 1}, periodSeconds: 1}`)
	w.apply(web, sluice.Created)
	o := w.await(w.web(), time.Minute,
		func(o sluice.Object) bool { return strings.Contains(manifest.Status(o).Message, "readiness probe") })
	if s := manifest.Status(o); s.Phase != manifest.InProgress ||
		!strings.HasPrefix(s.Message, "0 of 1 replicas ready; pod web-") {
		t.Errorf("it is %+v", s)
	}
}
