package databasetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Server is a running FerretDB, which speaks the MongoDB wire protocol.
type Server struct {
	Address string // host:port
	exited  chan error
	process *exec.Cmd
}

// Start builds the example, such as ferretdb-1.24, if needed, and runs it on a free loopback address with its data in
// dir. It returns once clients can connect. The server dies with this process.
func Start(ctx context.Context, example, dir string) (*Server, error) {
	binary, err := Binary(ctx, example)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{Address: address, exited: make(chan error, 1)}
	s.process = exec.Command(binary, "--listen", address, "--data", dir)
	tie(s.process)
	output, err := s.process.StderrPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go s.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	lines := bufio.NewReader(output)
	line, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(line, "serving") {
		return nil, errors.Join(fmt.Errorf("the server said %q", line), err, s.Stop())
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return s, nil
}

// run keeps its thread, because the kernel ends the server when the thread that started it ends.
func (s *Server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := s.process.Start()
	started <- err
	if err == nil {
		s.exited <- s.process.Wait()
	}
}

// URI returns the URI of one of the server's databases.
func (s *Server) URI(database string) string {
	return fmt.Sprintf("mongodb://%s/%s", s.Address, database)
}

// Stop ends the server and waits until it is gone.
func (s *Server) Stop() error {
	_ = s.process.Process.Signal(syscall.SIGTERM) // gone already is as good
	select {
	case err := <-s.exited:
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the server did not stop within 10 s"), s.process.Process.Kill())
	}
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *Server) Kill() {
	_ = s.process.Process.Kill() // gone already is as good
	<-s.exited
}

// freeAddress returns a random loopback address, so that parallel tests do not race for one port.
func freeAddress(ctx context.Context) (string, error) {
	host := fmt.Sprintf("127.%d.%d.%d:0", 100+rand.IntN(100), rand.IntN(256), 1+rand.IntN(250))
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", host)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// StartServer runs a server until the test ends and returns the URI of an empty database in it.
func StartServer(t testing.TB) (uri string) {
	t.Helper()
	return startServer(t, t.TempDir()).URI("shop")
}

func startServer(t testing.TB, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), "ferretdb-1.24", dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
