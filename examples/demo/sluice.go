package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/examples/shop/orders"
)

// An event is one line that sluice run prints; the last one has an exit status.
type event struct {
	Deployment   sluice.DeploymentID `json:"deployment"`
	sluice.Event `json:"event"`
	Ended        sluice.Status            `json:"outcome"`
	Targets      map[string]sluice.Status `json:"targets"`
	ExitStatus   *int                     `json:"exitStatus"`
}

// A deployment is a running or ended sluice run.
type deployment struct {
	ID      sluice.DeploymentID
	Outcome sluice.Status
	Targets map[string]sluice.Status
	Events  []event
	plan    *sluice.Plan
	seen    map[sluice.Seq]bool
	began   time.Time
	log     string
}

// A watcher gets each event when it arrives; kill ends sluice with SIGKILL.
type watcher func(e event, kind sluice.StepKind, kill func())

// run deploys a file and watches it to its end.
func (s *stage) run(ctx context.Context, name string, on watcher) (*deployment, error) {
	d := &deployment{seen: map[sluice.Seq]bool{}, began: time.Now(), log: filepath.Join(s.logs, name+".log")}
	err := s.follow(ctx, d, on, "run", "-f", filepath.Join(s.deploy, name+".yaml"), "--yes")
	s.deployed[name] = d.ID
	return d, err
}

// resume resumes a deployment that was killed.
func (s *stage) resume(ctx context.Context, d *deployment, on watcher) error {
	return s.follow(ctx, d, on, "run", "--resume")
}

// follow starts sluice and reads its events. It returns no error if sluice was killed or reports a failure: the outcome
// shows that.
func (s *stage) follow(ctx context.Context, d *deployment, on watcher, args ...string) error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.deploying(ctx, append(args, "--output", "json")...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := d.read(io.TeeReader(out, log), on, func() { _ = cmd.Process.Kill() })
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if readErr != nil {
		return readErr
	}
	if waitErr != nil && len(d.Events) == 0 {
		return fmt.Errorf("sluice %s: %w; see %s", strings.Join(args, " "), waitErr, s.relative(d.log))
	}
	return nil
}

func (d *deployment) read(out io.Reader, on watcher, kill func()) error {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil // a line without its end was cut off by a kill
		}
		if err != nil {
			return err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("read what sluice printed: %w", err)
		}
		d.take(e, on, kill)
	}
}

// take stores an event. A resumed sluice may print events again.
func (d *deployment) take(e event, on watcher, kill func()) {
	d.ID = e.Deployment
	if e.ExitStatus != nil {
		d.Outcome, d.Targets = e.Ended, e.Targets
		return
	}
	if d.seen[e.Seq] {
		return
	}
	d.seen[e.Seq] = true
	d.Events = append(d.Events, e)
	if e.Plan != nil {
		d.plan = e.Plan
	}
	kind := d.kind(e.Step)
	d.tell(e, kind)
	if on != nil {
		on(e, kind, kill)
	}
}

func (d *deployment) kind(id sluice.StepID) sluice.StepKind {
	if d.plan == nil {
		return ""
	}
	step, _ := d.plan.Step(id)
	return step.Kind
}

// tell prints the important part of an event.
func (d *deployment) tell(e event, kind sluice.StepKind) {
	what := map[sluice.EventKind]string{
		sluice.StepStarting: "…", sluice.StepDone: "done", sluice.StepFailed: "FAILED", sluice.StepUndoing: "putting back",
		sluice.StepUndone: "put back", sluice.StepUndoFailed: "NOT PUT BACK", sluice.StepRetrying: "waits and tries again",
	}[e.Kind]
	if what == "" {
		return
	}
	text := fmt.Sprintf("  %6.1f s  %-22s %-15s %s", time.Since(d.began).Seconds(), e.Step, kind, what)
	switch {
	case e.Failure != nil:
		text += ": " + e.Failure.Message
	case e.Kind == sluice.StepDone && e.Progress != nil && e.Progress.Message != "":
		text += ": " + e.Progress.Message
	}
	say("%s", text)
}

// took returns the time from the start to the end of the first step of the kind.
func (d *deployment) took(kind sluice.StepKind) time.Duration {
	var started event
	for _, e := range d.Events {
		switch {
		case e.Kind == sluice.StepStarting && started.Step == "" && d.kind(e.Step) == kind:
			started = e
		case e.Kind == sluice.StepDone && e.Step == started.Step && started.Step != "":
			return e.At.Sub(started.At)
		}
	}
	return 0
}

// expect fails unless the deployment has one of the outcomes.
func (s *stage) expect(d *deployment, want ...sluice.Status) error {
	for _, status := range want {
		if d.Outcome == status {
			return nil
		}
	}
	return fmt.Errorf("the deployment ended as %q, not as %q; see %s", d.Outcome, want, s.relative(d.log))
}

// deploying prepares a call of sluice that works on deployments: through the server if there is one.
func (s *stage) deploying(ctx context.Context, args ...string) *exec.Cmd {
	if s.server == "" {
		return s.sluice(ctx, args...)
	}
	return s.call(ctx, append(args, "--server", s.server)...)
}

// sluice prepares a call of sluice on the state directory.
func (s *stage) sluice(ctx context.Context, args ...string) *exec.Cmd {
	return s.call(ctx, append(args, "--state", s.state, "--config", s.config)...)
}

// call prepares a call of sluice in a process group of its own.
func (s *stage) call(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "sluice"), args...)
	cmd.SysProcAttr = apart()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// list runs a sluice command and decodes the items of its list.
func list[T any](ctx context.Context, s *stage, args ...string) ([]T, error) {
	text, err := s.output(s.sluice(ctx, append(args, "--output", "json")...))
	if err != nil {
		return nil, err
	}
	var printed struct{ Items []T }
	err = json.Unmarshal(text, &printed)
	return printed.Items, err
}

func (s *stage) output(cmd *exec.Cmd) ([]byte, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("sluice %s: %w: %s", strings.Join(cmd.Args[1:], " "), err, strings.TrimSpace(said.String()))
	}
	return text, nil
}

// down ends everything that the local account runs.
func (s *stage) down(ctx context.Context) error {
	_, err := s.output(s.sluice(ctx, "local", "down", "--yes"))
	return err
}

// address returns where a Service's port answers.
func (s *stage) address(ctx context.Context, namespace, service string, port int) (string, error) {
	text, err := s.output(s.sluice(ctx, "local", "address", namespace, service, strconv.Itoa(port)))
	return strings.TrimSpace(string(text)), err
}

// orders reads every order of a namespace's shop directly from its database.
func (s *stage) orders(ctx context.Context, namespace string) (orders.Digests, error) {
	address, err := s.address(ctx, namespace, "mongo", 27017)
	if err != nil {
		return nil, err
	}
	return orders.Read(ctx, address)
}
