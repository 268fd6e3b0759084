package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Spec says what to start.
type Spec struct {
	Path string   // the program's file
	Args []string // with the program's name as the first
	Env  []string
	Dir  string
	Log  string // the file that gets stdout and stderr; it is appended to
}

// Unknown is the exit code of an adopted process: only its parent learns its real one.
const Unknown = -1000

// A Process was started or adopted by this process. It outlives this process.
type Process struct {
	ID   Identity
	done chan struct{}
	code int
}

// Start starts the program as leader of its own session, so that it survives the end of this process.
func Start(s Spec) (*Process, error) {
	log, err := os.OpenFile(s.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := &exec.Cmd{Path: s.Path, Args: s.Args, Env: s.Env, Dir: s.Dir, Stdout: log, Stderr: log}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// The child cannot be reaped before Wait, so its entry in /proc is there even if it has ended.
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	p := &Process{ID: id, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.code = ExitStatus(cmd.Wait())
	}()
	return p, nil
}

// ExitStatus returns the status in the error of exec.Cmd.Wait, 128 and the signal for a program that was killed.
func ExitStatus(err error) int {
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return Unknown
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}

// Adopt takes over a process that was started by an earlier agent. It fails with os.ErrProcessDone if that process is
// gone, even if another one has its number now.
func Adopt(id Identity) (*Process, error) {
	fd, err := id.open()
	if err != nil {
		return nil, err
	}
	if id.state().ended() {
		unix.Close(fd)
		return nil, os.ErrProcessDone
	}
	p := &Process{ID: id, done: make(chan struct{}), code: Unknown}
	f := os.NewFile(uintptr(fd), fmt.Sprintf("process %d", id.PID))
	go func() {
		defer close(p.done)
		defer f.Close()
		awaitReadable(f)
	}()
	return p, nil
}

// awaitReadable parks the goroutine in the runtime's poller until the process behind the descriptor has ended.
func awaitReadable(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool { // an error means that the file was closed: nobody waits any more
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode returns the status after Done, 128 and the signal's number for one that was killed, or Unknown.
func (p *Process) ExitCode() int {
	<-p.done
	return p.code
}
