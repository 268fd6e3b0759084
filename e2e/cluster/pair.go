package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice/e2e/image"
)

const (
	apiServerPart = "kube-apiserver"
	kubeletPart   = "kubelet"
)

// A Pair is the two clusters of the tests.
type Pair struct {
	Cluster01, Cluster02 *Cluster
	// Kubeconfig is a file with the contexts cluster01 and cluster02.
	Kubeconfig string
	// Owned says that Up started these clusters, so that tests may stop their API servers.
	Owned bool

	apart apart
}

// Clusters returns both.
func (p *Pair) Clusters() []*Cluster { return []*Cluster{p.Cluster01, p.Cluster02} }

// Load imports image archives into both clusters, as Cluster.Load does.
func (p *Pair) Load(ctx context.Context, archives ...string) error {
	for _, c := range p.Clusters() {
		if err := c.Load(ctx, archives...); err != nil {
			return err
		}
	}
	return nil
}

// awaitWorking waits until both clusters run pods, if Up has started them.
func (p *Pair) awaitWorking(ctx context.Context) error {
	if !p.Owned {
		return nil
	}
	var working errgroup.Group
	for _, c := range p.Clusters() {
		working.Go(func() error { return c.awaitWorking(ctx) })
	}
	return working.Wait()
}

// Provide builds images and loads them into both clusters. It sets their Into.
func (p *Pair) Provide(ctx context.Context, images ...image.Source) error {
	for _, source := range images {
		source.Into = filepath.Join(filepath.Dir(p.Kubeconfig), "images")
		archive, err := image.Build(ctx, source)
		if err != nil {
			return err
		}
		if err := p.Load(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// A Cluster is one Kubernetes cluster.
type Cluster struct {
	// Name is also the name of the cluster's context in Kubeconfig.
	Name       string
	Kubeconfig string

	options Options
	spec    spec
	foreign string // the context's name in the person's kubeconfig, if Up did not start the cluster
}

func (o Options) newCluster(name string) *Cluster {
	return &Cluster{Name: name, Kubeconfig: o.newSpec(name).admin(), options: o, spec: o.newSpec(name)}
}

// Running returns the clusters of the state directory whose supervisor lives.
func Running(o Options) ([]*Cluster, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var all []*Cluster
	for _, name := range names {
		if c := o.newCluster(name); c.alive() {
			all = append(all, c)
		}
	}
	return all, nil
}

func (c *Cluster) alive() bool {
	_, alive := c.spec.supervisor()
	return alive
}

// Kubeconfig is the path of the file with a context for each cluster that is up.
func Kubeconfig(o Options) (string, error) {
	o, err := o.withDefaults()
	return o.kubeconfig(), err
}

// ErrNotOwned is returned by operations that work only on clusters that Up has started.
var ErrNotOwned = errors.New("this cluster was not started by Up")

// Config lets client-go connect to the cluster as its administrator. Each call
// returns a copy, without a limit of requests.
func (c *Cluster) Config() (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: c.Name}).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

// Client returns a new client of the cluster's administrator.
func (c *Cluster) Client() (*kubernetes.Clientset, error) {
	config, err := c.Config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// Load imports image archives, so that pods with imagePullPolicy Never can use
// them. For a person's own context it runs the command E2E_LOAD with the archive
// and the context. For contexts of kind it needs no such command.
func (c *Cluster) Load(ctx context.Context, archives ...string) error {
	for _, archive := range archives {
		if err := c.load(ctx, archive); err != nil {
			return fmt.Errorf("load %s into %s: %w", archive, c.Name, err)
		}
	}
	return nil
}

func (c *Cluster) load(ctx context.Context, archive string) error {
	if c.foreign == "" {
		return inside(ctx, c.spec.Dir, "/usr/bin/ctr", "-n", "k8s.io", "images", "import", archive)
	}
	args := append(strings.Fields(os.Getenv("E2E_LOAD")), archive, c.foreign)
	if name, isKind := strings.CutPrefix(c.foreign, "kind-"); isKind && len(args) == 2 {
		args = []string{"kind", "load", "image-archive", archive, "--name", name}
	}
	if len(args) == 2 {
		return fmt.Errorf("context %s is not a kind cluster: set E2E_LOAD to a command with two arguments, an image archive "+
			"and the context into whose cluster it loads the archive", c.foreign)
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// StopAPIServer kills the API server at once, as a crash would, and returns
// when it is gone. Pods keep running. It does nothing if no API server runs.
func (c *Cluster) StopAPIServer(ctx context.Context) error { return c.act(ctx, "/stop", apiServerPart) }

// StartAPIServer starts the API server and returns when it answers. It is
// harmless if it runs.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	return c.act(ctx, "/start", apiServerPart)
}

// LoseNode kills the kubelet of the cluster's node: the node is not heard of any more, and starts and ends no pods.
func (c *Cluster) LoseNode(ctx context.Context) error { return c.act(ctx, "/stop", kubeletPart) }

// FindNode starts the kubelet again and returns when it answers. It is harmless if it runs.
func (c *Cluster) FindNode(ctx context.Context) error { return c.act(ctx, "/start", kubeletPart) }

func (c *Cluster) act(ctx context.Context, path, part string) error {
	if c.foreign != "" {
		return ErrNotOwned
	}
	_, err := control(ctx, c.spec.Dir, "POST", path, url.Values{"part": {part}})
	return err
}

// Status returns the state of the cluster's programs, in the order of their start.
func (c *Cluster) Status(ctx context.Context) ([]PartStatus, error) {
	if c.foreign != "" {
		return nil, ErrNotOwned
	}
	data, err := control(ctx, c.spec.Dir, "GET", "/status", nil)
	if err != nil {
		return nil, err
	}
	var all []PartStatus
	return all, json.Unmarshal(data, &all)
}

// Volumes is the directory on this machine with the volumes of the claims.
func (c *Cluster) Volumes() string { return c.spec.file("volumes") }
