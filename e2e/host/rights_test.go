package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	account "github.com/sluice-cd/sluice/internal/kubernetes"
	"github.com/sluice-cd/sluice/internal/kubernetes/rights"
)

// robot returns the account with the credentials of a ServiceAccount of the test's namespace.
func (w *world) robot() *account.Account {
	w.Helper()
	_, err := w.client.CoreV1().ServiceAccounts(w.namespace).Create(w.ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "sluice"}}, metav1.CreateOptions{})
	must(w.T, err)
	token, err := w.client.CoreV1().ServiceAccounts(w.namespace).CreateToken(w.ctx, "sluice",
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(w.T, err)
	raw, err := clientcmd.LoadFromFile(pair.Kubeconfig)
	must(w.T, err)
	c := raw.Contexts[pair.Cluster01.Name]
	raw.AuthInfos = map[string]*api.AuthInfo{"robot": {Token: token.Status.Token}}
	raw.Contexts = map[string]*api.Context{"robot": {Cluster: c.Cluster, AuthInfo: "robot"}}
	raw.CurrentContext = "robot"
	file := filepath.Join(w.TempDir(), "kubeconfig")
	must(w.T, clientcmd.WriteToFile(*raw, file))
	return open(w.T, file, "")
}

// grant applies the feature's manifest to the namespace, for the ServiceAccount that is in it.
func (w *world) grant(feature string) {
	w.Helper()
	data, err := os.ReadFile("../../deploy/" + feature + ".yaml")
	must(w.T, err)
	first, second, _ := strings.Cut(string(data), "\n---\n")
	var role rbacv1.Role
	var binding rbacv1.RoleBinding
	must(w.T, yaml.UnmarshalStrict([]byte(first), &role))
	must(w.T, yaml.UnmarshalStrict([]byte(second), &binding))
	binding.Subjects[0].Namespace = w.namespace
	_, err = w.client.RbacV1().Roles(w.namespace).Create(w.ctx, &role, metav1.CreateOptions{})
	must(w.T, err)
	_, err = w.client.RbacV1().RoleBindings(w.namespace).Create(w.ctx, &binding, metav1.CreateOptions{})
	must(w.T, err)
}

func TestRightsAreMissingUntilTheyAreGranted(t *testing.T) {
	w := newWorld(t)
	robot := w.robot()
	base := rights.Base(w.namespace)
	missing, err := robot.Review(w.ctx, base)
	must(t, err)
	if len(missing) != len(base) {
		t.Errorf("%d of %d rights are missing without any", len(missing), len(base))
	}
	_, err = robot.Pods(w.ctx, w.namespace)
	w.wants(err, sluice.Denied, "list", "pods", w.namespace, "sluice doctor")
	for _, feature := range []string{rights.FeatureObserve, rights.FeatureLogs, rights.FeatureApply} {
		w.grant(feature)
	}
	w.awaitRights(robot, base, func(missing []sluice.Right) bool {
		for _, r := range missing {
			if r.Feature != rights.FeatureRollout {
				return false
			}
		}
		return len(missing) > 0
	})
	w.grant(rights.FeatureRollout)
	w.awaitRights(robot, base, func(missing []sluice.Right) bool { return len(missing) == 0 })
	elsewhere, err := robot.Review(w.ctx, rights.Base("default"))
	must(t, err)
	if len(elsewhere) != len(base) {
		t.Errorf("%d of %d rights are missing in another namespace", len(elsewhere), len(base))
	}
}

// awaitRights asks until the API server has taken up what was granted, of which nothing tells.
func (w *world) awaitRights(a *account.Account, rights []sluice.Right, wanted func(missing []sluice.Right) bool) {
	w.Helper()
	for {
		missing, err := a.Review(w.ctx, rights)
		must(w.T, err)
		if wanted(missing) {
			return
		}
	}
}

// TestManifestsSuffice does with a feature's manifest what the feature is for.
func TestManifestsSuffice(t *testing.T) {
	w := newWorld(t)
	w.serving(2)
	robot := w.robot()
	features := []string{
		rights.FeatureObserve, rights.FeatureLogs, rights.FeatureApply, rights.FeatureRollout, rights.FeatureExec,
		rights.FeaturePortForward, rights.FeatureServiceProxy,
	}
	var wanted []sluice.Right
	for _, feature := range features {
		w.grant(feature)
	}
	for _, f := range rights.Features() {
		for _, name := range features {
			if f.Name != name {
				continue
			}
			for _, g := range f.Grants {
				for _, resource := range g.Resources {
					for _, verb := range g.Verbs {
						wanted = append(wanted, sluice.Right{Verb: verb, Group: g.Group, Resource: resource, Namespace: w.namespace})
					}
				}
			}
		}
	}
	w.awaitRights(robot, wanted, func(missing []sluice.Right) bool { return len(missing) == 0 })

	pods, err := robot.Pods(w.ctx, w.namespace)
	must(t, err)
	name := pods[0].Name
	_, err = robot.Logs(w.ctx, w.namespace, name, 5)
	must(t, err)
	_, err = robot.Exec(w.ctx, w.namespace, name, []string{"/talker", "say", "0", "", ""})
	must(t, err)
	address, err := robot.Address(w.ctx, w.namespace, "web", 80)
	must(t, err)
	get(t, fresh(), "http://"+address, nil)
	rt, err := robot.Transport(w.ctx, w.namespace, "web", 80)
	must(t, err)
	c := fresh()
	c.Transport = rt
	if got := get(t, c, "http://web/x", nil); !strings.Contains(got, "GET /x auth= ") {
		t.Errorf("through the proxy: %q", got)
	}
	web := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.namespace, Name: "web"}
	must(t, robot.Scale(w.ctx, web, 1))
	must(t, robot.Evict(w.ctx, w.namespace, name))
	now, err := robot.Get(w.ctx, web)
	must(t, err)
	config := sluice.Object{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "b"}}
	config.Set("own", "metadata", "name")
	config.Set(w.namespace, "metadata", "namespace")
	_, outcome, err := robot.Apply(w.ctx, config, false)
	if err != nil || outcome != sluice.Created {
		t.Errorf("a ConfigMap is %s, %v", outcome, err)
	}
	must(t, robot.Delete(w.ctx, config.Ref()))
	must(t, robot.Delete(w.ctx, now.Ref()))
}

func TestMissingKnowsTheClustersOwnNames(t *testing.T) {
	w := newWorld(t)
	robot := w.robot()
	object := sluice.Object{"apiVersion": "v1", "kind": "Endpoints"} // its plural is no guess
	object.Set("x", "metadata", "name")
	p := &sluice.Plan{
		Targets: []sluice.PlannedTarget{{Name: "t", Namespace: w.namespace}},
		Steps: []sluice.PlannedStep{{ID: "t/apply", Target: "t",
			StepSpec: sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{object}}}}},
	}
	missing, err := robot.Missing(w.ctx, p, "t")
	must(t, err)
	for _, r := range missing {
		if r == (sluice.Right{Verb: "patch", Resource: "endpoints", Namespace: w.namespace}) {
			return
		}
	}
	t.Errorf("%+v", missing)
}
