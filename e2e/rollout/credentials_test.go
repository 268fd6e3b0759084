package rollout_test

import (
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

const robotRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: robot}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: ServiceAccount, name: robot}]
`

// login lets the account use a new token of the ServiceAccount robot, which it creates.
func (s shop) login() (token string) {
	s.Helper()
	s.Put("{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}}")
	return s.Login("robot")
}

// logout ends the token, and returns when the API server has noticed.
func (s shop) logout(token string) {
	s.Helper()
	s.Delete("ServiceAccount", "robot")
	config, err := s.Cluster.Config()
	if err != nil {
		s.Fatal(err)
	}
	config = rest.AnonymousClientConfig(config)
	config.BearerToken = token
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		s.Fatal(err)
	}
	s.Await("the end of the token", func() bool {
		_, err := client.ServerVersion()
		return apierrors.IsUnauthorized(err)
	})
}

// asRobot delivers v1 with the token that it returns, and writes v2.
func (s shop) asRobot() (token string) {
	s.Helper()
	s.Put(robotRights)
	token = s.login()
	s.Write("sluice.yaml", "accounts: {cluster01: {type: kubernetes, kubeconfig: robot}}\n")
	s.installed(watched)
	s.release("v2", "green")
	return token
}

func refused(e world.Event) bool {
	return e.Kind == sluice.StepRetrying && e.Failure.Code == sluice.Unauthenticated
}

// A token that ends while a canary waits fails nothing: the steps wait until the kubeconfig has another one.
func TestTokenEndsWhileACanaryWaits(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	token := s.asRobot()
	load := s.Load("web", 80, "/version")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.logout(token)
	s.approve()
	p.Await(refused)
	s.login()
	p.Await(waits("production/canary/3"))
	s.approve()
	s.Ends(sluice.StatusSucceeded, p)
	s.expect("web", map[string]int{"v2": 4})
	load.Perfect()
}

// An undo waits for new credentials, also longer than a step.
func TestUndoWaitsForNewCredentials(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	token := s.asRobot()
	s.Write("sluice.yaml", "retryFor: 5s\naccounts: {cluster01: {type: kubernetes, kubeconfig: robot}}\n")
	before := s.Snapshot()
	load := s.Load("web", 80, "/version")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.logout(token)
	s.command("reject")
	p.Await(refused)
	time.Sleep(10 * time.Second) // a step would have given up
	s.login()
	s.RollsBack(p)
	s.Unchanged(before, "ServiceAccount/robot")
	load.Perfect()
}

const held = `
apiVersion: v1
kind: ConfigMap
metadata: {name: held, finalizers: [example.com/never]}
data: {a: "1"}
`

// An undo that waits for a finalizer says so within seconds.
func TestUndoNamesTheFinalizerThatItWaitsFor(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(watched)
	before := s.Snapshot()
	s.release("v2", "green")
	s.Write("manifests/held.yaml", held)
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits("production/canary/1"))
	s.command("reject")
	const text = "ConfigMap/held is being deleted; it waits for the finalizer example.com/never"
	id := ""
	p.Await(func(e world.Event) bool {
		id = string(e.Deployment)
		return e.Kind == sluice.StepUndoing && e.Progress != nil && e.Progress.Message == text
	})
	for _, command := range [][]string{{"status"}, {"status", id}, {"status", id, "-o", "json"}} {
		if out := s.command(command...); !strings.Contains(out, text) {
			t.Errorf("sluice %v does not say what it waits for:\n%s", command, out)
		}
	}
	s.Patch("ConfigMap", "held", `{"metadata":{"finalizers":null}}`)
	s.RollsBack(p)
	s.Unchanged(before)
}
