package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
)

// A stage has what the acts need: directories, programs and running processes.
type stage struct {
	root    string // of the repository
	dir     string // .sluice/demo, or .sluice/serve-demo
	bin     string // .sluice/demo/bin, which sluice.yaml names
	logs    string
	state   string // sluice's state directory
	deploy  string // the deploy files
	config  string // sluice.yaml
	server  string // the address of the server; "": sluice works on the state directory
	metrics string // the address of the metric provider, which sluice.yaml has too
	monitor *exec.Cmd

	monitored <-chan error // yields when the monitor has ended

	migration time.Duration                  // how long migrateData took in an undisturbed run
	deployed  map[string]sluice.DeploymentID // by deploy file
}

// monitorAddress is the address of the metric provider; examples/deploy/sluice.yaml has it too.
const monitorAddress = "127.0.0.1:19090"

// newStage finds the repository above the working directory. The stage keeps its files in .sluice/name there.
func newStage(name string) (*stage, error) {
	at, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for root := at; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "examples", "deploy", "sluice.yaml")); err == nil {
			dir, deploy := filepath.Join(root, ".sluice", name), filepath.Join(root, "examples", "deploy")
			return &stage{
				root: root, dir: dir, bin: filepath.Join(root, ".sluice", "demo", "bin"), logs: filepath.Join(dir, "logs"),
				state: filepath.Join(dir, "state"), deploy: deploy, config: filepath.Join(deploy, "sluice.yaml"),
				metrics: monitorAddress, deployed: map[string]sluice.DeploymentID{},
			}, nil
		}
		if root == filepath.Dir(root) {
			return nil, fmt.Errorf("%s is not in the repository of Sluice", at)
		}
	}
}

func (s *stage) relative(path string) string {
	short, err := filepath.Rel(s.root, path)
	if err != nil {
		return path
	}
	return short
}

// set removes the leftovers of an earlier demo, then starts the monitor and the first release with its orders.
func (s *stage) set(ctx context.Context) error {
	if err := s.clear(ctx); err != nil {
		return err
	}
	if err := s.watch(ctx); err != nil {
		return err
	}
	say("")
	say("── the first release ── Nothing runs yet: release 1.0 into staging and production, and %d orders.", seeded)
	ended, err := s.run(ctx, "release-1.0", nil)
	if err != nil {
		return err
	}
	if ended.Outcome != "succeeded" {
		return fmt.Errorf("release 1.0 ended as %s; its log is %s", ended.Outcome, s.relative(ended.log))
	}
	orders, err := s.orders(ctx, "production")
	if err != nil {
		return err
	}
	if len(orders) != seeded {
		return fmt.Errorf("production has %d orders, not %d", len(orders), seeded)
	}
	return nil
}

// seeded is the number of orders of the first release.
const seeded = 20_000

func (s *stage) clear(ctx context.Context) error {
	if _, err := os.Stat(s.state); err == nil {
		if err := s.down(ctx); err != nil {
			return fmt.Errorf("stop an earlier demo: %w", err)
		}
	}
	for _, dir := range []string{s.state, s.logs, filepath.Join(s.dir, "metrics")} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(s.dir, "report.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.MkdirAll(s.logs, 0o700)
}

// watch starts the monitor and waits until it answers.
func (s *stage) watch(ctx context.Context) error {
	if err := free(s.metrics); err != nil {
		return fmt.Errorf("the monitor cannot start: %w", err)
	}
	log, err := os.Create(filepath.Join(s.logs, "monitor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.monitor = exec.Command(filepath.Join(s.bin, "monitor"), "--listen", s.metrics,
		"--targets", filepath.Join(s.state, "local", "local", "targets.json"), "--data", filepath.Join(s.dir, "metrics"))
	s.monitor.Stdout, s.monitor.Stderr = log, log
	s.monitor.SysProcAttr = apart()
	if err := s.monitor.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.monitor.Wait() }()
	s.monitored = ended
	for s.ready(ctx) != nil {
		select {
		case err := <-ended:
			s.monitor = nil
			return fmt.Errorf("the monitor ended, see %s: %w", s.relative(log.Name()), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// unwatch ends the monitor.
func (s *stage) unwatch() error {
	if s.monitor == nil {
		return errors.New("the monitor does not run")
	}
	if err := s.monitor.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-s.monitored // the exit status of a stopped program does not matter
	s.monitor = nil
	return nil
}

// free fails if another process already listens at the address.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("nothing can listen at %s; stop the program that does: %w", address, err)
	}
	return l.Close()
}

func (s *stage) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics+"/-/ready", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// apart puts a child into a process group of its own, so that Ctrl-C reaches only the demo, which then ends its
// children in order. A child does not outlive the demo, whatever ends the demo.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// strike ends everything that runs, also after the demo was interrupted.
func (s *stage) strike() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var faults []error
	if s.monitor != nil {
		faults = append(faults, s.monitor.Process.Signal(syscall.SIGTERM))
	}
	return errors.Join(append(faults, s.down(ctx))...)
}
