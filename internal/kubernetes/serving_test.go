package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

const (
	release     = "7c9d5f"
	stableSet   = `,"tier":"front","pod-template-hash":"abc"`
	released    = `,"tier":"front","pod-template-hash":"7c9d5f"` + releaseMark
	releaseMark = `,"sluice-cd.github.io/release":"7c9d5f"`
	ownMark     = `,"sluice-cd.github.io/release":"before"`
)

// replicas is the ReplicaSet of the stable pods, whose template has more labels.
func replicas(more string) string {
	return `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-abc","namespace":"shop","uid":"rs",
		"labels":{"app":"web"` + stableSet + `},"annotations":{"deployment.kubernetes.io/revision":"3"},
		"ownerReferences":[{"uid":"d","controller":true}]},
		"spec":{"template":{"metadata":{"labels":{"app":"web"` + more + `}}}}}`
}

// keptPod is a pod of the stable ReplicaSet or of the release.
func keptPod(name, labels, ready string) string {
	return strings.Replace(aPod(name, labels, ready), `{"metadata":{`, `{"apiVersion":"v1","kind":"Pod","metadata":{
		"ownerReferences":[{"kind":"ReplicaSet","uid":"rs","controller":true}],`, 1)
}

func toRelease(percent, serving int) sluice.Division {
	d := to(percent)
	d.Release, d.Serving = release, serving
	return d
}

// cluster keeps Service/web, its stable Deployment, the canary pod c and the pods.
func cluster(t *testing.T, template string, pods ...string) *server {
	s := serve(t)
	all := []string{plainWeb, stableWeb, replicas(template), keptPod("c", released, "True")}
	s.keep(append(all, pods...)...)
	return s
}

// marked returns the pods of the server with the release label, but for the canary's.
func (s *server) marked(pods ...string) string {
	var all []string
	for _, name := range pods {
		if s.now("pods", name).Text("metadata", "labels", sluice.ReleaseLabel) == release {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func (s *server) selects(want map[string]any) {
	s.Helper()
	if d := cmp.Diff(want, s.now("services", "web").Field("spec", "selector")); d != "" {
		s.Errorf("the Service selects (-want +got):\n%s", d)
	}
}

var (
	wantAll     = map[string]any{"app": "web"}
	wantStable  = map[string]any{"app": "web", traffic.HashLabel: "abc"}
	wantServing = map[string]any{"app": "web", sluice.ReleaseLabel: release}
	wantCanary  = map[string]any{"app": "web", traffic.HashLabel: release}
)

// Where numbers of pods divide the traffic, as many stable pods as are to serve are marked, and no others.
func TestShiftMarksStablePods(t *testing.T) {
	a, b, ready, marked := "a", "b", "True", stableSet+releaseMark
	for name, test := range map[string]struct {
		pods    []string
		serving int
		want    string
	}{
		"the first":                {[]string{keptPod(a, stableSet, ready), keptPod(b, stableSet, ready)}, 1, "a"},
		"both":                     {[]string{keptPod(a, stableSet, ready), keptPod(b, stableSet, ready)}, 2, "a b"},
		"more than there are":      {[]string{keptPod(a, stableSet, ready), keptPod(b, stableSet, ready)}, 3, "a b"},
		"the marked one stays":     {[]string{keptPod(a, stableSet, ready), keptPod(b, marked, ready)}, 1, "b"},
		"fewer than before":        {[]string{keptPod(a, marked, ready), keptPod(b, marked, ready)}, 1, "a"},
		"instead of one not ready": {[]string{keptPod(a, stableSet, ready), keptPod(b, marked, "False")}, 1, "a"},
		"not one that is not ready": {
			[]string{keptPod(a, stableSet+ownMark, "False"), keptPod(b, stableSet, ready)}, 1, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			s := cluster(t, "", test.pods...)
			for range 2 { // the second changes nothing
				if err := s.Shift(s.soon(), toRelease(75, test.serving)); err != nil {
					t.Fatal(err)
				}
				s.selects(wantServing)
				if got := s.marked(a, b); got != test.want {
					t.Errorf("%q are marked, want %q", got, test.want)
				}
			}
		})
	}
}

// Stable pods get back what the template of their ReplicaSet says, wherever the division goes from there.
func TestShiftPutsLabelsBack(t *testing.T) {
	for name, test := range map[string]struct {
		then     sluice.Division
		template string
		want     string // the release label of the pod
		selects  map[string]any
	}{
		"to the canary":          {toRelease(100, 0), "", "", wantCanary},
		"to the stable pods":     {toRelease(0, 0), "", "", wantStable},
		"to all pods":            {toRelease(50, 0), "", "", wantAll},
		"of an earlier release":  {toRelease(100, 0), ownMark, "before", wantCanary},
		"back to an earlier one": {toRelease(0, 0), ownMark, "before", wantStable},
	} {
		t.Run(name, func(t *testing.T) {
			s := cluster(t, test.template, keptPod("a", stableSet+test.template, "True"))
			for _, d := range []sluice.Division{toRelease(75, 1), test.then} {
				if err := s.Shift(s.soon(), d); err != nil {
					t.Fatal(err)
				}
			}
			s.selects(test.selects)
			if got := s.now("pods", "a").Text("metadata", "labels", sluice.ReleaseLabel); got != test.want {
				t.Errorf("the pod has the label %q, want %q", got, test.want)
			}
			if got := s.now("pods", "c").Text("metadata", "labels", sluice.ReleaseLabel); got != release {
				t.Errorf("the canary pod has the label %q", got)
			}
		})
	}
}

func TestReleasePutsLabelsBack(t *testing.T) {
	s := cluster(t, "", keptPod("a", stableSet, "True"))
	if err := s.Shift(s.soon(), toRelease(75, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(s.soon(), toRelease(75, 1)); err != nil || s.marked("a") != "" {
		t.Errorf("marked are %q, %v", s.marked("a"), err)
	}
	s.selects(wantAll)
}

// While another Service still goes to marked pods, they keep their label.
func TestLabelsStayForAnotherService(t *testing.T) {
	s := cluster(t, "", keptPod("a", stableSet, "True"), strings.Replace(plainWeb, `"name":"web"`, `"name":"api"`, 1))
	both := func(percent, serving int) (web, api sluice.Division) {
		web, api = toRelease(percent, serving), toRelease(percent, serving)
		api.Service = "api"
		return web, api
	}
	web, api := both(75, 1)
	for _, d := range []sluice.Division{web, api} {
		if err := s.Shift(s.soon(), d); err != nil {
			t.Fatal(err)
		}
	}
	web, api = both(0, 0)
	for _, step := range []struct {
		of   sluice.Division
		want string
	}{{web, "a"}, {api, ""}} {
		if err := s.Shift(s.soon(), step.of); err != nil || s.marked("a") != step.want {
			t.Errorf("after Service/%s, marked are %q, want %q; %v", step.of.Service, s.marked("a"), step.want, err)
		}
	}
}

// The narrowed Service would have fewer pods than before, for nothing, if those of the release are not ready.
func TestShiftMarksNothingForACanaryThatIsNotReady(t *testing.T) {
	s := serve(t)
	s.keep(plainWeb, stableWeb, replicas(""), keptPod("c", released, "False"), keptPod("a", stableSet, "True"))
	wantError(t, s.Shift(s.soon(), toRelease(75, 1)), sluice.Failed, "none of Deployment/web-canary is ready")
	s.selects(wantAll)
	if got := s.marked("a"); got != "" {
		t.Errorf("marked are %q", got)
	}
}

// While the stable Deployment is paused with the template of the release, its pods are already those of the release.
func TestShiftAndReleaseWhileThePodsAreHandedOver(t *testing.T) {
	s := serve(t)
	adopted := strings.NewReplacer(`"web-abc"`, `"web-7c9d5f"`, `revision":"3"`, `revision":"4"`, `"abc"`,
		`"7c9d5f"`).Replace(replicas(releaseMark))
	stable := strings.NewReplacer(`revision":"3"`, `revision":"4"`, `"spec":{`, `"spec":{"paused":true,`).
		Replace(stableWeb)
	s.keep(plainWeb, stable, adopted, keptPod("c", released, "True"))
	for range 2 {
		if err := s.Shift(s.soon(), toRelease(100, 0)); err != nil {
			t.Fatal(err)
		}
		s.selects(wantCanary)
	}
	if err := s.Release(s.soon(), toRelease(100, 0)); err != nil {
		t.Fatal(err)
	}
	s.selects(wantAll)
	if n := len(s.sent("PATCH " + podsPath)); n > 0 {
		t.Errorf("%d pods were written", n)
	}
}

// A Deployment that could not adopt the canary's pods makes a ReplicaSet of the same release. The canary's is meant.
func TestShiftToTheCanaryBesideTheSameRelease(t *testing.T) {
	all := []string{plainWeb, stableWeb, replicas(""), keptPod("c", released, "True")}
	for _, hash := range []string{"5bd7", release, "9fc4"} {
		all = append(all, `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-`+hash+`",
			"namespace":"shop","uid":"`+hash+`","labels":{"app":"web","pod-template-hash":"`+hash+`"`+releaseMark+`}}}`)
	}
	s := serve(t)
	s.keep(all...)
	if err := s.Shift(s.soon(), toRelease(100, 0)); err != nil {
		t.Fatal(err)
	}
	s.selects(wantCanary)
}
