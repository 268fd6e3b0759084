package job_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/world"
	"github.com/sluice-cd/sluice/internal/beside"
	account "github.com/sluice-cd/sluice/internal/kubernetes"
)

var pair *cluster.Pair

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, func(ctx context.Context, p *cluster.Pair) error {
		pair = p
		return pair.Provide(ctx, world.Sluice())
	}))
}

// A place is a namespace of one test.
type place struct {
	*testing.T
	sluice.Place
	client *kubernetes.Clientset
}

func newPlace(t *testing.T) *place {
	t.Helper()
	c := pair.Cluster01
	client, err := c.Client()
	must(t, err)
	a, err := account.Open(t.Context(),
		account.Options{Name: c.Name, Kubeconfig: pair.Kubeconfig, Context: c.Name, UserAgent: "sluice-e2e-job"})
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	at := sluice.Place{Name: c.Name, Account: a.Abilities(), Namespace: c.Namespace(t, "job-")}
	return &place{t, at, client}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// options are those of a bench whose Jobs run the image under test.
func options(image string) beside.Options {
	return beside.Options{
		Settings: func(string) beside.Settings { return beside.Settings{Image: image} },
		Secret: func(purpose string) (string, error) {
			sum := sha256.Sum256([]byte(purpose))
			return hex.EncodeToString(sum[:]), nil
		},
	}
}

var sluiceImage = "docker.io/" + world.Sluice().Name

// listening adds an endpoint to the options, which pods reach at an address of this machine.
func listening(t *testing.T, o beside.Options) beside.Options {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(outside(t), "0"))
	must(t, err)
	secret, err := o.Secret(beside.EndpointSecret)
	must(t, err)
	e, err := beside.NewEndpoint(l, l.Addr().String(), secret)
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	o.Endpoint = func() (*beside.Endpoint, error) { return e, nil }
	return o
}

// outside returns an address of this machine that is not its own loopback.
func outside(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has only a loopback address")
	return ""
}

// left returns what Jobs left in the namespace, as Kind/name.
func (p *place) left() []string {
	p.Helper()
	var all []string
	of := metav1.ListOptions{LabelSelector: "sluice-cd.github.io/work"}
	jobs, err := p.client.BatchV1().Jobs(p.Namespace).List(p.Context(), of)
	must(p.T, err)
	for _, o := range jobs.Items {
		all = append(all, "Job/"+o.Name)
	}
	pods, err := p.client.CoreV1().Pods(p.Namespace).List(p.Context(), of)
	must(p.T, err)
	for _, o := range pods.Items {
		all = append(all, "Pod/"+o.Name)
	}
	secrets, err := p.client.CoreV1().Secrets(p.Namespace).List(p.Context(), of)
	must(p.T, err)
	for _, o := range secrets.Items {
		all = append(all, "Secret/"+o.Name)
	}
	services, err := p.client.CoreV1().Services(p.Namespace).List(p.Context(), of)
	must(p.T, err)
	for _, o := range services.Items {
		all = append(all, "Service/"+o.Name)
	}
	return all
}
