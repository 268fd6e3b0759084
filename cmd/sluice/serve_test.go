package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// throughServer are the scripts in which it makes no difference whether commands work on a state directory or on a
// server.
var throughServer = []string{
	"rollback", "promote", "named", "retry", "refused", "root", "regular", "plan", "data", "data_delete",
	"data_branch", "logs_pod",
}

func TestScriptsThroughAServer(t *testing.T) {
	p := scripts(t, "testdata/script/rollback.txtar")
	p.Files = nil
	for _, name := range throughServer {
		p.Files = append(p.Files, filepath.Join("testdata/script", name+".txtar"))
	}
	p.Condition = func(cond string) (bool, error) {
		if cond == "server" {
			return true, nil
		}
		return condition(cond)
	}
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		address, stop, err := startServer(env.WorkDir, env.Vars, "127.0.0.1:0")
		if err == nil {
			env.Setenv("SLUICE_SERVER", address)
			env.Defer(func() {
				if err := stop(unix.SIGTERM); err != nil {
					t.Error(err)
				}
			})
		}
		return err
	}
	testscript.Run(t, p)
}

// startServer runs a server in the directory. stop sends it the signal, and returns when it has ended, or at once for a
// signal that ends nothing.
func startServer(dir string, vars []string, listen string) (address string, stop func(unix.Signal) error, err error) {
	cmd := exec.Command("sluice", "serve", "--listen", listen)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, vars, os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, at, found := strings.Cut(strings.TrimSpace(line), ", listening at ")
	address = "http://" + at
	if !found {
		return "", nil, errors.Join(errors.New("the server says "+line), err, cmd.Process.Kill(), cmd.Wait())
	}
	return address, func(sig unix.Signal) error {
		err := cmd.Process.Signal(sig)
		if sig == unix.SIGSTOP || sig == unix.SIGCONT {
			return err
		}
		hung := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer hung.Stop()
		ended := cmd.Wait()
		if sig == unix.SIGKILL {
			return err
		}
		return errors.Join(err, ended)
	}, nil
}

// A server is one that a script has started.
type server struct {
	address string
	stop    func(unix.Signal) error
}

// The servers and issuers of the scripts that run, by directory.
var servers, issuers sync.Map

// serve starts a server in the script's directory, at the address of the one before if there was one. Commands work on
// it from then on.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: serve")
	}
	listen := "127.0.0.1:0"
	if again := ts.Getenv("SLUICE_SERVER"); again != "" {
		listen = strings.TrimPrefix(again, "http://")
	}
	dir := ts.MkAbs(".")
	vars := []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "TMPDIR=" + ts.Getenv("TMPDIR"),
		"XDG_CACHE_HOME=" + ts.Getenv("XDG_CACHE_HOME"), "NO_COLOR=1", "TZ=UTC"}
	address, stop, err := startServer(dir, vars, listen)
	ts.Check(err)
	ts.Setenv("SLUICE_SERVER", address)
	running := &server{address, stop}
	servers.Store(dir, running)
	ts.Defer(func() {
		if servers.CompareAndDelete(dir, running) {
			ts.Check(stop(unix.SIGTERM))
		}
	})
}

// unserve KILL|TERM ends the server of the script's directory.
func unserve(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]unix.Signal{"KILL": unix.SIGKILL, "TERM": unix.SIGTERM}
	if neg || len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: unserve KILL|TERM")
	}
	running, ok := servers.LoadAndDelete(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("no server runs")
	}
	ts.Check(running.(*server).stop(signals[args[0]]))
}
