package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/examples/shop/load"
)

// A show is a stage whose deployments go through a server, with pages for a person.
type show struct {
	*stage
	process *exec.Cmd // the server
	crowd   *load.Generator
}

// serve starts the world of the demo under a server, leaves deployments in several states there, and keeps all of it
// running until ctx ends. Then it stops what it started and deletes its files.
func serve(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "where the server listens")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := newStage("serve-demo")
	if err != nil {
		return err
	}
	if err := errors.Join(free(*listen), s.choosePort()); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return interrupted(ctx, err)
	}
	h := &show{stage: s}
	defer func() { err = errors.Join(err, h.close(err)) }()
	if err := h.open(ctx, *listen); err != nil {
		return interrupted(ctx, err)
	}
	h.greet()
	<-ctx.Done()
	return nil
}

// interrupted forgets an error that comes from Ctrl-C, which is how the show ends.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// choosePort lets the monitor listen where nobody else does.
func (s *stage) choosePort() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.metrics = l.Addr().String()
	return l.Close()
}

// open starts everything and plays what the pages are to show.
func (h *show) open(ctx context.Context, listen string) error {
	if err := h.clear(ctx); err != nil {
		return err
	}
	if err := h.configure(); err != nil {
		return err
	}
	if err := h.watch(ctx); err != nil {
		return err
	}
	if err := h.listen(ctx, listen); err != nil {
		return err
	}
	return h.prepare(ctx)
}

// fewer is how many orders there are here, so that a person need not wait.
const fewer = 5000

// configure writes the sluice.yaml of the server: that of the demo with fewer orders and another monitor. It is as deep
// in the repository as the original, so the paths in it stay right.
func (h *show) configure() error {
	text, err := os.ReadFile(h.config)
	if err != nil {
		return err
	}
	for was, is := range map[string]string{
		fmt.Sprintf("%q", fmt.Sprint(seeded)): fmt.Sprintf("%q", fmt.Sprint(fewer)), monitorAddress: h.metrics,
	} {
		if strings.Count(string(text), was) != 1 {
			return fmt.Errorf("%s does not have %s once", h.relative(h.config), was)
		}
		text = []byte(strings.Replace(string(text), was, is, 1))
	}
	h.config = filepath.Join(h.dir, "sluice.yaml")
	return os.WriteFile(h.config, text, 0o600)
}

// listen starts the server and returns once it answers.
func (h *show) listen(ctx context.Context, at string) error {
	log, err := os.Create(filepath.Join(h.logs, "server.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := h.sluice(context.WithoutCancel(ctx), "serve", "--listen", at) // it ends in order
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	h.process = cmd
	line, err := bufio.NewReader(out).ReadString('\n')
	_, where, found := strings.Cut(strings.TrimSpace(line), ", listening at ")
	if !found {
		return fmt.Errorf("the server did not start, see %s: %w", h.relative(log.Name()), err)
	}
	h.server = "http://" + where
	return nil
}

// prepare lets customers come, and deploys a release that succeeds, one that staging refuses, one that is rolled back
// with its data, and one that waits for a person.
func (h *show) prepare(ctx context.Context) error {
	if err := h.play(ctx, "release-1.0", nil, sluice.StatusSucceeded); err != nil {
		return err
	}
	if err := h.play(ctx, "release-2.0-rc1", nil, sluice.StatusFailed); err != nil {
		return err
	}
	const aFew = 20
	var err error
	if h.crowd, err = h.crowdOf(ctx, "show", aFew); err != nil {
		return err
	}
	if err := h.play(ctx, "release-2.2", nil, sluice.StatusFailed, sluice.StatusRolledBack); err != nil {
		return err
	}
	return h.play(ctx, "release-2.0-approved", leaveAtApproval, "")
}

// leaveAtApproval ends the watching, not the deployment, once a person is asked.
func leaveAtApproval(e event, kind sluice.StepKind, kill func()) {
	if kind == sluice.KindPause && e.Progress != nil && e.Progress.State == sluice.Waiting {
		kill()
	}
}

func (h *show) play(ctx context.Context, name string, on watcher, want ...sluice.Status) error {
	say("")
	say("── %s ──", name)
	d, err := h.run(ctx, name, on)
	if err != nil {
		return err
	}
	return h.expect(d, want...)
}

// greet says what a person can do now.
func (h *show) greet() {
	waiting := h.deployed["release-2.0-approved"]
	say("")
	say("Open %s/applications/shop in a browser. There is no login: everybody on this", h.server)
	say("machine may do everything. Release 1.0 runs, 2.0-rc1 was caught in staging, 2.2 was rolled back with its")
	say("data, and 2.0 waits for an approval. Approve it on its page, or in another terminal:")
	say("")
	say("  export SLUICE_SERVER=%s", h.server)
	say("  .sluice/demo/bin/sluice status")
	say("  .sluice/demo/bin/sluice approve %s", waiting)
	say("  .sluice/demo/bin/sluice watch %s", waiting)
	say("")
	say("Ctrl-C stops the server, the shop and its database, and deletes their files.")
}

// close ends everything, also if it was not opened completely. The files are kept if there was a fault.
func (h *show) close(fault error) error {
	say("")
	say("stopping")
	if h.crowd != nil {
		h.crowd.Stop()
	}
	var faults []error
	if h.process != nil {
		faults = append(faults, h.process.Process.Signal(syscall.SIGTERM))
		hung := time.AfterFunc(time.Minute, func() { _ = h.process.Process.Kill() })
		faults = append(faults, h.process.Wait())
		hung.Stop()
	}
	if h.monitor != nil {
		faults = append(faults, h.unwatch())
	}
	faults = append(faults, h.strike())
	if err := errors.Join(faults...); err != nil || fault != nil {
		say("the logs are in %s", h.relative(h.logs))
		return err
	}
	return os.RemoveAll(h.dir)
}
