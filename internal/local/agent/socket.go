package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
)

// Listen opens the socket of the directory.
func Listen(dir string) (net.Listener, error) {
	path, done, err := shortPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// The path is only valid now; the next agent replaces the socket.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, os.Chmod(filepath.Join(dir, SocketName), 0o600)
}

// DialSocket connects to the agent of the directory; Unavailable if none answers.
func DialSocket(ctx context.Context, dir string) (net.Conn, error) {
	path, done, err := shortPath(dir)
	if err != nil {
		return nil, sluice.Errorf(sluice.Unavailable, "the local account in %s is not there: %w", dir, err)
	}
	defer done()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, sluice.Errorf(sluice.Unavailable, "the agent of the local account in %s is not running: %w", dir, err)
	}
	return conn, nil
}

// Answers reports whether an agent of the directory is there.
func Answers(ctx context.Context, dir string) bool {
	conn, err := DialSocket(ctx, dir)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// shortPath names the socket through a descriptor of its directory: a socket's path may have 107 bytes only.
func shortPath(dir string) (path string, done func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), SocketName), func() { _ = d.Close() }, nil
}
