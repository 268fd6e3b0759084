// Package besidetest runs the Jobs of internal/beside in the process of a test: over real connections, without a
// cluster. Start at [Cluster].
package besidetest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// A Cluster is an account in memory whose Jobs run in this process.
type Cluster struct {
	*steptest.Account
	t       T
	handler func(Pod) http.Handler

	mu   sync.Mutex
	nets []*breakable
	pods map[string]*running // by namespace/name of the Job
	made int
	late map[sluice.Ref]string // by its uid, what belonged to a deleted Job: it is deleted when the next Job is made
}

// A Pod is what the Job's program sees: its volumes. Each is in the directory that its claim is named after.
type Pod struct {
	Volumes []sluice.Volume
}

type running struct {
	cancel context.CancelFunc
	over   chan struct{}
}

func (r *running) hasEnded() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// A T is a test, or a measurement.
type T interface {
	Cleanup(func())
	Errorf(format string, arguments ...any)
}

// New returns a cluster whose Jobs answer as the handler. It ends with the test.
func New(t T, handler func(Pod) http.Handler) *Cluster {
	c := &Cluster{Account: steptest.NewAccount(), t: t, handler: handler, pods: map[string]*running{},
		late: map[sluice.Ref]string{}}
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, p := range c.pods {
			p.cancel()
			<-p.over
		}
	})
	return c
}

// Place returns the namespace as a place of this cluster.
func (c *Cluster) Place(namespace string) sluice.Place {
	a := c.Account.Abilities()
	a.ClusterReader, a.ClusterWriter, a.Host, a.Network = c, c, c, c
	return sluice.Place{Name: "cluster", Account: a, Namespace: namespace}
}

// Bench returns a bench for the cluster.
func (c *Cluster) Bench(o beside.Options) *beside.Bench {
	o.Settings = func(string) beside.Settings { return beside.Settings{Image: "sluice:unready"} }
	o.Secret = Secret
	b := beside.New(o)
	c.t.Cleanup(b.Close)
	return b
}

// Secret derives the secrets of a bench.
func Secret(purpose string) (string, error) {
	sum := sha256.Sum256([]byte(purpose))
	return hex.EncodeToString(sum[:]), nil
}

// Made returns how many pods were started.
func (c *Cluster) Made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Kill ends the pods of every Job, as if their processes were killed.
func (c *Cluster) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		p.cancel()
		<-p.over
	}
}

// Apply starts the pod of a Job.
func (c *Cluster) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	out, did, err := c.Account.Apply(ctx, o, dryRun)
	if err == nil && o.Text("kind") == "Job" && did == sluice.Created {
		err = errors.Join(c.collect(ctx), c.start(ctx, o))
	}
	return out, did, err
}

// Delete ends the pod of a Job.
func (c *Cluster) Delete(ctx context.Context, ref sluice.Ref) error {
	if ref.Kind == "Job" {
		c.mu.Lock()
		if p := c.pods[key(ref)]; p != nil {
			p.cancel()
			<-p.over
			delete(c.pods, key(ref))
		}
		c.mu.Unlock()
	}
	c.doom(ctx, ref)
	return c.Account.Delete(ctx, ref)
}

// doom remembers what belongs to the Job.
func (c *Cluster) doom(ctx context.Context, job sluice.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kind := range []string{"Secret", "Service"} {
		ref := sluice.Ref{APIVersion: "v1", Kind: kind, Namespace: job.Namespace, Name: job.Name}
		if o, err := c.Account.Get(ctx, ref); err == nil && job.Kind == "Job" {
			c.late[ref] = o.Text("metadata", "uid")
		}
	}
}

// collect deletes what belonged to deleted Jobs, as the cluster does some time later.
func (c *Cluster) collect(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, uid := range c.late {
		delete(c.late, ref)
		if o, err := c.Account.Get(ctx, ref); err != nil || o.Text("metadata", "uid") != uid {
			continue
		}
		if err := c.Account.Delete(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// Get shows a Job whose pod has ended as failed.
func (c *Cluster) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	o, err := c.Account.Get(ctx, ref)
	if err == nil && ref.Kind == "Job" && !c.runs(ref) {
		o.Set([]any{map[string]any{"type": "Failed", "status": "True", "message": "its pod was killed"}}, "status",
			"conditions")
	}
	return o, err
}

// Pods lists the pod of a Job.
func (c *Cluster) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	pods, err := c.Account.Pods(ctx, namespace, of...)
	for i, p := range pods {
		if name, ok := strings.CutPrefix(p.Owner, "Job/"); ok {
			pods[i].Ready = c.runs(sluice.Ref{Kind: "Job", Namespace: p.Namespace, Name: name})
		}
	}
	return pods, err
}

func (c *Cluster) runs(ref sluice.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pods[key(ref)]
	return p != nil && !p.hasEnded()
}

func key(ref sluice.Ref) string { return ref.Namespace + "/" + ref.Name }

// start does what a node does with the pod: it reads the Secret and runs the program.
func (c *Cluster) start(ctx context.Context, job sluice.Object) error {
	ref := job.Ref()
	config, err := c.config(ctx, ref)
	if err != nil {
		return err
	}
	if config.Dial == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		config.Listen = &breakable{Listener: l}
		for _, p := range job.List("spec", "template", "spec", "containers")[0].List("ports") {
			c.SetAddress(ref.Namespace, ref.Name, p.Number(0, "containerPort"), config.Listen.Addr().String())
		}
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &running{cancel: cancel, over: make(chan struct{})}
	c.mu.Lock()
	c.pods[key(ref)] = p
	if b, ok := config.Listen.(*breakable); ok {
		c.nets = append(c.nets, b)
	}
	c.made++
	c.mu.Unlock()
	handler := c.handler(Pod{volumes(job, config)})
	go func() {
		defer close(p.over)
		if err := beside.Serve(run, config, handler); err != nil {
			c.t.Errorf("the Job ended: %v", err)
		}
	}()
	return nil
}

func (c *Cluster) config(ctx context.Context, job sluice.Ref) (config beside.Config, err error) {
	files := map[string]string{}
	for _, name := range []string{job.Name, job.Name + "-kept"} {
		ref := sluice.Ref{APIVersion: "v1", Kind: "Secret", Namespace: job.Namespace, Name: name}
		secret, err := c.Account.Get(ctx, ref)
		if err != nil && (name == job.Name || sluice.ErrorCode(err) != sluice.NotFound) {
			return config, err
		}
		data, _ := secret.Field("data").(map[string]any)
		for file, text := range data {
			files[file], _ = text.(string)
		}
	}
	return beside.ReadConfig(func(file string) ([]byte, error) {
		return base64.StdEncoding.DecodeString(files[file])
	})
}

// volumes returns the volumes of the Job's pod.
func volumes(job sluice.Object, config beside.Config) []sluice.Volume {
	all, i := config.Volumes(), 0
	for _, v := range job.List("spec", "template", "spec", "volumes") {
		if claim := v.Text("persistentVolumeClaim", "claimName"); claim != "" {
			all[i].Dir, i = claim, i+1
		}
	}
	return all
}

// Break ends every connection that Sluice made to a Job.
func (c *Cluster) Break() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nets {
		n.interrupt()
	}
}

// A breakable listener remembers its connections.
type breakable struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (b *breakable) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.conns = append(b.conns, c)
	}
	return c, err
}

func (b *breakable) interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.Close() // closing twice is harmless
	}
	b.conns = nil
}
