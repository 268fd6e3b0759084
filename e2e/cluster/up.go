package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice/e2e/image"
)

// upTimeout bounds how long a cluster may take from its start until it is ready.
const upTimeout = 4 * time.Minute

// Up returns the two clusters, ready to use. If they are up it returns at once,
// otherwise it installs, builds and starts what is missing; a cluster that is
// partly up starts again without its old content. Callers in several processes
// wait for each other. Clusters outlive the process; Down ends them.
func Up(ctx context.Context, o Options) (*Pair, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if contexts, set := foreignContexts(); set {
		return o.adopt(contexts)
	}
	unlock, err := o.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	clusters := []*Cluster{o.newCluster(first), o.newCluster(second)}
	complete := func(s *spec) error { return s.completePair(ctx) }
	if err := o.upAll(ctx, clusters, complete, pairPrograms...); err != nil {
		return nil, err
	}
	return &Pair{Cluster01: clusters[0], Cluster02: clusters[1], Kubeconfig: o.kubeconfig(), Owned: true}, nil
}

var pairPrograms = []program{nodeProgram, dnsProgram, supervisorProgram, provisionerProgram, snapshotterProgram,
	snapshotControllerProgram}

func (s *spec) completePair(ctx context.Context) error {
	storage, err := s.storage(ctx)
	s.Parts = slices.Concat(s.controlPlane(), s.node(), storage)
	return err
}

// upAll starts those clusters that are not up, all at the same time.
func (o Options) upAll(ctx context.Context, clusters []*Cluster, complete func(*spec) error,
	programs ...program) error {
	var down []*Cluster
	for _, c := range clusters {
		if !c.healthy(ctx) {
			down = append(down, c)
		}
	}
	if len(down) == 0 {
		return nil
	}
	if err := o.prepare(ctx, programs...); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range down {
		group.Go(func() error {
			if err := c.up(ctx, complete); err != nil {
				return fmt.Errorf("start %s: %w", c.Name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return o.writeKubeconfig(o.existing()...)
}

func (o Options) prepare(ctx context.Context, programs ...program) error {
	if os.Geteuid() != 0 {
		return errors.New("the clusters need root, for namespaces, mounts and control groups; " +
			"E2E_CONTEXTS=a,b uses two contexts of your kubeconfig instead")
	}
	if err := os.WriteFile(filepath.Join(o.Dir, ".gitignore"), []byte("*\n"), 0o644); err != nil {
		return err
	}
	if err := o.ensureInotify(); err != nil {
		return err
	}
	if err := o.installPackages(ctx); err != nil {
		return err
	}
	if err := o.build(ctx, programs...); err != nil {
		return err
	}
	if err := o.makeMountPoints(); err != nil {
		return err
	}
	return o.ensureBridge()
}

// existing names the clusters whose kubeconfig exists.
func (o Options) existing() []string {
	var all []string
	for _, name := range names {
		if _, err := os.Stat(o.newSpec(name).admin()); err == nil {
			all = append(all, name)
		}
	}
	return all
}

// up starts the cluster from nothing and waits until it is ready.
func (c *Cluster) up(ctx context.Context, complete func(*spec) error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	if err := c.spec.down(); err != nil {
		return err
	}
	if err := complete(&c.spec); err != nil {
		return err
	}
	if err := c.spec.writeFiles(); err != nil {
		return err
	}
	if err := c.spec.makeCgroup(); err != nil {
		return err
	}
	if err := c.spec.startSupervisor(); err != nil {
		return err
	}
	if err := c.awaitReady(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, c.spec.logTails())
	}
	fmt.Fprintf(c.options.Log, "%s is ready after %s\n", c.Name, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// startSupervisor starts process 1 of the cluster's namespaces. It waits for
// its network at descriptor 3, and ends if this process dies before that.
func (s spec) startSupervisor() error {
	log, err := os.Create(s.file("log", "supervisor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	wait, ready, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd := exec.Command(filepath.Join(s.Binaries, supervisorProgram.name), "supervise", s.Dir)
	cmd.Dir, cmd.Env = "/", s.environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{wait}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaceFlags}
	err = cmd.Start()
	wait.Close()
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	go cmd.Wait() // so that a supervisor that this process kills does not stay as a zombie
	id, err := identify(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := s.recordSupervisor(id); err != nil {
		return err
	}
	if err := s.connect(id.PID); err != nil {
		return err
	}
	_, err = ready.Write([]byte{1})
	return err
}

// buildPause builds the image that every pod needs to start.
func (o Options) buildPause(ctx context.Context) (string, error) {
	return image.Build(ctx,
		image.Source{Dir: filepath.Join(moduleDir(), "cmd", "pause"), Name: pauseImage, Into: filepath.Join(o.Dir, "images")})
}

// lock keeps other processes from bringing clusters up or down.
func (o Options) lock() (unlock func(), err error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
