package account_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/sluice-cd/sluice"
	account "github.com/sluice-cd/sluice/internal/kubernetes"
)

// A swapping is a claim with content whose data is replaced and put back.
type swapping struct {
	*world
	claim         sluice.Object
	old           string        // the volume at first
	before, began sluice.Object // the claim and its volume
}

func newSwapping(w *world, name string) *swapping {
	s := &swapping{world: w, claim: w.read(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, labels: {kept: "yes"}, annotations: {kept: "yes"}}
spec: {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Mi}}}`, name)}
	w.apply(s.claim, sluice.Created)
	s.old = w.bound(name)
	s.fill(name, "1")
	s.before, s.began = s.lasting()
	s.claim = s.before.Clone()
	delete(s.claim["metadata"].(map[string]any), "finalizers")
	delete(s.claim["spec"].(map[string]any), "volumeName")
	return s
}

// bound returns the volume of the claim when it has one.
func (w *world) bound(claim string) string {
	w.Helper()
	o := w.await(w.ref("v1", "PersistentVolumeClaim", claim), time.Minute,
		func(o sluice.Object) bool { return o.Text("status", "phase") == "Bound" })
	return o.Text("spec", "volumeName")
}

// lasting returns what a replaced and restored claim must have again, and its volume.
func (s *swapping) lasting() (claim, volume sluice.Object) {
	s.Helper()
	claim, err := s.Get(s.Context(), s.claim.Ref())
	must(s.T, err)
	volume, err = s.Get(s.Context(), volumeRef(claim.Text("spec", "volumeName")))
	must(s.T, err)
	claim, volume = claim.Clone(), volume.Clone()
	annotations, _ := claim.Field("metadata", "annotations").(map[string]any)
	for _, key := range []string{"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"} {
		delete(annotations, key)
	}
	for _, o := range []sluice.Object{claim, volume} {
		for _, key := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields"} {
			delete(o["metadata"].(map[string]any), key)
		}
		delete(o, "status")
	}
	annotations, _ = volume.Field("metadata", "annotations").(map[string]any)
	delete(annotations, "pv.kubernetes.io/bound-by-controller")
	for _, key := range []string{"uid", "resourceVersion"} {
		delete(volume.Field("spec", "claimRef").(map[string]any), key)
	}
	return claim, volume
}

func volumeRef(name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolume", Name: name}
}

// file is where this machine has the content of the claim.
func (s *swapping) file(claim string) string {
	s.Helper()
	pv, err := s.Get(s.Context(), volumeRef(s.bound(claim)))
	must(s.T, err)
	return filepath.Join(pv.Text("spec", "hostPath", "path"), "content")
}

func (s *swapping) fill(claim, text string) {
	s.Helper()
	must(s.T, os.WriteFile(s.file(claim), []byte(text), 0o600))
}

// forward replaces the data.
func (s *swapping) forward(a *account.Account) error {
	v, err := a.Stage(s.Context(), s.claim, "next", "")
	if err != nil {
		return err
	}
	if v.Mount != "" && v.Mount != s.claim.Ref().Name {
		s.fill(v.Mount, "2")
	}
	_, err = a.Use(s.Context(), s.claim, "next")
	return err
}

// commit gives up the data before.
func (s *swapping) commit(a *account.Account) error {
	return a.Discard(s.Context(), s.namespace, s.claim.Ref().Name, s.old)
}

// back puts the data before in its place again.
func (s *swapping) back(a *account.Account) error {
	if _, err := a.Use(s.Context(), s.claim, s.old); err != nil {
		return err
	}
	return a.Discard(s.Context(), s.namespace, s.claim.Ref().Name, "next")
}

// holds checks the content and that of all volumes only the claim's is left, with nothing of Sluice on either.
func (s *swapping) holds(text string) {
	s.Helper()
	data, err := os.ReadFile(s.file(s.claim.Ref().Name))
	if string(data) != text {
		s.Errorf("the claim holds %q, want %q: %v", data, text, err)
	}
	claim, volume := s.lasting()
	now, then := claim.Clone(), s.before.Clone()
	if text == "2" { // another volume of the same kind
		now.Set("", "spec", "volumeName")
		then.Set("", "spec", "volumeName")
		if got := volume.Text("spec", "persistentVolumeReclaimPolicy"); got != "Delete" {
			s.Errorf("the reclaim policy is %s", got)
		}
		if labels := volume.Field("metadata", "labels"); labels != nil {
			s.Errorf("the volume has the labels %v", labels)
		}
	} else if d := cmp.Diff(s.began, volume); d != "" {
		s.Errorf("the volume (-before +now):\n%s", d)
	}
	if d := cmp.Diff(then, now); d != "" {
		s.Errorf("the claim (-before +now):\n%s", d)
	}
	s.alone(claim.Text("spec", "volumeName"))
}

// alone checks that the namespace has no volume or claim but those of the claim. A volume that was still being made
// when its claim was deleted goes away only afterwards.
func (s *swapping) alone(volume string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	for left := s.strays(volume); len(left) > 0; left = s.strays(volume) {
		select {
		case <-ctx.Done():
			s.Fatalf("these volumes are left: %v", left)
		case <-time.After(100 * time.Millisecond):
		}
	}
	claims, err := s.List(s.Context(), "v1", "PersistentVolumeClaim", s.namespace)
	must(s.T, err)
	if len(claims) != 1 {
		s.Errorf("there are %d claims", len(claims))
	}
}

// strays returns the volumes of the namespace but the one.
func (s *swapping) strays(volume string) []sluice.Object {
	s.Helper()
	all, err := s.List(s.Context(), "v1", "PersistentVolume", "")
	must(s.T, err)
	return slices.DeleteFunc(all, func(pv sluice.Object) bool {
		return pv.Text("spec", "claimRef", "namespace") != s.namespace || pv.Ref().Name == volume
	})
}

// A mortal is an account that is killed right after its last write. Nothing of it reaches the cluster afterwards.
type mortal struct {
	*account.Account
	left atomic.Int32
	dead atomic.Bool
}

// mortal returns an account that lives for so many writes.
func (w *world) mortal(writes int) *mortal {
	w.Helper()
	config, err := pair.Cluster01.Config()
	must(w.T, err)
	transport, err := rest.TransportFor(config)
	must(w.T, err)
	target, err := url.Parse(config.Host)
	must(w.T, err)
	m := &mortal{}
	m.left.Store(int32(writes))
	proxy := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
	}}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if m.dead.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodGet || m.left.Add(-1) > 0 {
			proxy.ServeHTTP(out, r)
			return
		}
		m.dead.Store(true)
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	w.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	file := filepath.Join(w.TempDir(), "kubeconfig")
	must(w.T, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, file))
	m.Account, err = account.Open(context.Background(), account.Options{Name: "mortal", Kubeconfig: file})
	must(w.T, err)
	w.Cleanup(func() { _ = m.Close() })
	return m
}

// manyWrites is more than any of the calls needs.
const manyWrites = 20

// stride leaves out moments of death unless the long target runs.
func stride() int {
	if os.Getenv("E2E_LONG") != "" {
		return 1
	}
	return 6
}

// Whatever write a process dies after, the same call finishes its work, and the undo puts everything back.
func TestVolumesKilled(t *testing.T) {
	if !pair.Owned {
		t.Skip("the volumes are not directories of this machine")
	}
	type call = func(*swapping, *account.Account) error
	for name, test := range map[string]struct {
		first, killed call
		then          []call
		want          string
	}{
		"forward, and again": {nil, (*swapping).forward, []call{(*swapping).forward, (*swapping).commit}, "2"},
		"forward, and back":  {nil, (*swapping).forward, []call{(*swapping).back}, "1"},
		"back":               {(*swapping).forward, (*swapping).back, []call{(*swapping).back}, "1"},
		"commit":             {(*swapping).forward, (*swapping).commit, []call{(*swapping).commit}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for writes, dies := 1, true; dies && writes < manyWrites; writes += stride() {
				t.Run(fmt.Sprint(writes), func(t *testing.T) {
					s := newSwapping(newWorld(t), "data")
					if test.first != nil {
						must(t, test.first(s, s.Account))
					}
					m := s.mortal(writes)
					err := test.killed(s, m.Account)
					if dies = m.dead.Load(); !dies {
						must(t, err)
					}
					for _, next := range test.then {
						must(t, next(s, s.Account))
					}
					s.holds(test.want)
				})
			}
		})
	}
}
