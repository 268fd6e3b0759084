package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds how long a program may take until it answers.
const startTimeout = 2 * time.Minute

// A supervisor is process 1 of a cluster's namespaces. It starts the parts in
// order, restarts each when it ends, and reaps every orphan. When the supervisor
// is killed, the kernel ends everything else.
type supervisor struct {
	spec spec

	mu       sync.Mutex
	parts    map[string]*runningPart
	children map[int]chan syscall.WaitStatus

	ready    chan struct{} // closed when all parts have answered, or when one never will
	readyErr error         // valid once ready is closed
}

type runningPart struct {
	part
	wanted   bool
	pid      int // 0 while it does not run
	restarts int
	gone     chan struct{} // closed when the process named by pid has been reaped
}

// Supervise runs the cluster whose directory is given, in the namespaces that
// Up has made for it; it returns only if that is impossible. The file
// descriptor 3 says when the network is there.
func Supervise(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return err
	}
	s := &supervisor{parts: map[string]*runningPart{}, children: map[int]chan syscall.WaitStatus{},
		ready: make(chan struct{})}
	if err := json.Unmarshal(data, &s.spec); err != nil {
		return fmt.Errorf("read %s: %w", specFile, err)
	}
	if n, err := os.NewFile(3, "start").Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("the process that started this cluster has ended: %w", err)
	}
	if err := s.spec.enterNamespaces(); err != nil {
		return err
	}
	for _, p := range s.spec.Parts {
		s.parts[p.Name] = &runningPart{part: p}
	}
	go s.reap()
	go func() {
		s.readyErr = s.startAll()
		close(s.ready)
	}()
	return s.serveControl()
}

func (s *supervisor) startAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for _, p := range s.spec.Parts {
		if err := s.start(p.Name); err != nil {
			return err
		}
		if !p.Gate {
			continue
		}
		if err := p.awaitAnswer(ctx); err != nil {
			return err
		}
	}
	for _, p := range s.spec.Parts {
		if err := p.awaitAnswer(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts a part and keeps it running. It is harmless if the part runs.
func (s *supervisor) start(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[name]
	if p == nil {
		return fmt.Errorf("cluster %s has no part %q", s.spec.Name, name)
	}
	p.wanted = true
	if p.pid != 0 {
		return nil
	}
	return s.launch(p)
}

// launch starts the process of p. The caller holds s.mu.
func (s *supervisor) launch(p *runningPart) error {
	log, err := os.OpenFile(filepath.Join(s.spec.Dir, "log", p.Name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	pid, exited, err := s.spawn(p.Args, log)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.pid, p.gone = pid, make(chan struct{})
	go s.watch(p, exited)
	return nil
}

// watch waits for the end of p's process and starts another one, with a longer delay each time.
func (s *supervisor) watch(p *runningPart, exited <-chan syscall.WaitStatus) {
	status := <-exited
	s.mu.Lock()
	defer s.mu.Unlock()
	close(p.gone)
	p.pid = 0
	if !p.wanted {
		return
	}
	delay := min(250*time.Millisecond<<min(p.restarts, 5), 5*time.Second)
	p.restarts++
	fmt.Fprintf(os.Stderr, "%s ended (exit %d, signal %v), starts again in %v\n", p.Name, status.ExitStatus(),
		status.Signal(), delay)
	time.AfterFunc(delay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !p.wanted || p.pid != 0 {
			return
		}
		if err := s.launch(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
}

// stop kills a part at once, as a crash would, and returns when it is gone.
func (s *supervisor) stop(name string) error {
	s.mu.Lock()
	p := s.parts[name]
	if p == nil {
		s.mu.Unlock()
		return fmt.Errorf("cluster %s has no part %q", s.spec.Name, name)
	}
	p.wanted = false
	if p.pid == 0 {
		s.mu.Unlock()
		return nil
	}
	err := syscall.Kill(p.pid, syscall.SIGKILL)
	gone := p.gone
	s.mu.Unlock()
	<-gone
	return err
}

// spawn starts a process whose end is sent on the channel. The caller holds
// s.mu, so the process cannot be reaped before it is known. Only reap waits for
// processes; package os/exec would wait for them too.
func (s *supervisor) spawn(args []string, out *os.File) (int, <-chan syscall.WaitStatus, error) {
	process, err := os.StartProcess(args[0], args, &os.ProcAttr{
		Dir:   s.spec.Dir,
		Env:   s.spec.environment(),
		Files: []*os.File{nil, out, out},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, err
	}
	exited := make(chan syscall.WaitStatus, 1)
	s.children[process.Pid] = exited
	pid := process.Pid
	return pid, exited, process.Release()
}

// reap collects every process that has ended, containers' orphans included.
func (s *supervisor) reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for {
		s.mu.Lock()
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			if exited, ours := s.children[pid]; ours {
				delete(s.children, pid)
				exited <- status
			}
		}
		s.mu.Unlock()
		<-ended
	}
}

// run runs a command in the cluster's namespaces and writes what it prints.
func (s *supervisor) run(args []string, out io.Writer) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	s.mu.Lock()
	_, exited, err := s.spawn(args, w)
	s.mu.Unlock()
	w.Close()
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, r); err != nil {
		return err
	}
	if status := <-exited; !status.Exited() || status.ExitStatus() != 0 {
		return fmt.Errorf("%s: exit %d, signal %v", args[0], status.ExitStatus(), status.Signal())
	}
	return nil
}
