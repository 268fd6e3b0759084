package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/service"
)

// A fleet is servers, each a `sluice serve` that runs as a process of its own, and what they need.
type fleet struct {
	dir      string
	servers  []*serving
	database *postgrestest.Cluster // nil: SQLite
}

// A serving is one server, and a client of it.
type serving struct {
	*api.Client
	process *exec.Cmd
	state   string // its directory
}

// withFleet builds sluice and calls use with the fleet, then stops everything. Several servers share a PostgreSQL that
// syncs to the disk; [postgrestest.ErrAbsent] if none is installed. prepare may fill the state directory of one server.
func withFleet(ctx context.Context, servers int, prepare func(state string) error, use func(*fleet) error) (err error) {
	dir, err := os.MkdirTemp("", "sluice-fleet-")
	if err != nil {
		return err
	}
	f := &fleet{dir: dir}
	defer func() { err = errors.Join(err, f.stop(), os.RemoveAll(dir)) }()
	if servers > 1 {
		if f.database, err = postgrestest.Start("fsync=on"); err != nil {
			return err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", f.program(), "github.com/sluice-cd/sluice/cmd/sluice")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build sluice: %w: %s", err, out)
	}
	for n := range servers {
		state := filepath.Join(dir, fmt.Sprint("server-", n))
		if err := f.configure(state); err != nil {
			return err
		}
		if prepare != nil {
			if err := prepare(state); err != nil {
				return err
			}
		}
		s, err := f.start(state)
		if err != nil {
			return err
		}
		f.servers = append(f.servers, s)
	}
	return use(f)
}

func (f *fleet) program() string { return filepath.Join(f.dir, "sluice") }

// configure makes a state directory with its sluice.yaml.
func (f *fleet) configure(state string) error {
	text := "accounts:\n  local: {type: local}\n"
	if f.database != nil {
		text += "server: {database: {env: SLUICE_DATABASE}, key: {env: SLUICE_KEY}}\n"
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(state, "sluice.yaml"), []byte(text), 0o600)
}

// start starts a server on the state directory and returns once it answers.
func (f *fleet) start(state string) (*serving, error) {
	log, err := os.Create(filepath.Join(state, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(f.program(), "serve", "--listen", "127.0.0.1:0", "--state", state,
		"--config", filepath.Join(state, "sluice.yaml"))
	cmd.Stderr = log
	if cmd.Env = os.Environ(); f.database != nil {
		const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		cmd.Env = append(cmd.Env, "SLUICE_DATABASE="+f.database.Address("postgres"), "SLUICE_KEY="+key)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	s := &serving{process: cmd, state: state}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, at, found := strings.Cut(strings.TrimSpace(line), ", listening at ")
	if !found {
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), s.stop())
	}
	many := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: together}}
	s.Client, err = api.Connect("http://"+at, func(context.Context) (string, error) { return "", nil }, many)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// together is how many requests a client sends at once.
const together = 32

// stop stops the server and waits until it is gone. The error has the end of its log.
func (s *serving) stop() error {
	if s.Client != nil {
		s.Close()
	}
	_ = s.process.Process.Signal(syscall.SIGTERM) // gone already is as good
	hung := time.AfterFunc(time.Minute, func() { _ = s.process.Process.Kill() })
	defer hung.Stop()
	err := s.process.Wait()
	if err == nil {
		return nil
	}
	text, _ := os.ReadFile(filepath.Join(s.state, "log")) // the error comes without it
	return fmt.Errorf("server: %w: %s", err, text[max(0, len(text)-1000):])
}

func (f *fleet) stop() error {
	var faults []error
	for _, s := range f.servers {
		faults = append(faults, s.stop())
		// Its local account has an agent, which outlives it.
		down := exec.Command(f.program(), "local", "down", "--yes", "--state", s.state)
		if out, err := down.CombinedOutput(); err != nil {
			faults = append(faults, fmt.Errorf("stop its agent: %w: %s", err, out))
		}
	}
	if f.database != nil {
		faults = append(faults, f.database.Close())
	}
	return errors.Join(faults...)
}

// memory returns a figure of the server's memory in bytes, such as VmHWM, the largest so far, or VmRSS, now.
func (s *serving) memory(name string) (int64, error) {
	return memoryOf(fmt.Sprint(s.process.Process.Pid), name)
}

// bundleOf is a deploy file of one application whose target does these steps, one after the other, before it deploys
// anything. Their ids are those of stepOf.
func bundleOf(application string, steps ...string) service.Bundle {
	deploy := "version: v1\nkind: kubernetes\napplication: " + application + "\ntargets:\n  one:\n    account: local\n" +
		"    namespace: " + application + "\n    constraints:\n      beforeDeployment:\n        - sequence:\n            - " +
		strings.Join(steps, "\n            - ") + "\nmanifests:\n  - path: config.yaml\n"
	return service.Bundle{File: "deploy.yaml", Files: map[string][]byte{
		"deploy.yaml": []byte(deploy),
		"config.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n"),
	}}
}

func stepOf(n int) sluice.StepID { return sluice.StepID(fmt.Sprint("one/before/0/", n)) }

// The steps that deployments of these measurements have.
const (
	approval = "pause: {untilApproved: true}"
	moment   = "pause: {duration: 1ms}"
)

// skipped is the row of a measurement that needs PostgreSQL where there is none.
func skipped(what string) []row {
	return []row{{What: what, Figure: "skipped: " + postgrestest.ErrAbsent.Error()}}
}
