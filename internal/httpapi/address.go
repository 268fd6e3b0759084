package httpapi

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-cd/sluice"
)

// ListenAgain listens at the address. If its port is 0, it takes the previous port, which the record file holds, so
// that URLs stay valid after a restart. If there is none or it is taken, it takes a free port and records it; moved
// reports that the previous port was taken.
func ListenAgain(address, record string) (l net.Listener, moved bool, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, false, sluice.Errorf(sluice.Invalid, "the callback address %q is not of the form host:port", address)
	}
	if port != "0" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, false, taken(address, err)
		}
		return l, false, nil
	}
	last, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, sluice.Errorf(sluice.Unavailable, "read the last callback address: %w", err)
	}
	if again := strings.TrimSpace(string(last)); again != "" {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, again)); err == nil {
			return l, false, nil
		}
		moved = true
	}
	l, err = net.Listen("tcp", address)
	if err != nil {
		return nil, false, taken(address, err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	if err := writeFile(record, port+"\n"); err != nil {
		return nil, false, errors.Join(sluice.Errorf(sluice.Unavailable, "record the callback address: %w", err), l.Close())
	}
	return l, moved, nil
}

func taken(address string, err error) error {
	return sluice.Errorf(sluice.Exhausted, "callbacks cannot be received at %s: %w", address, err).
		WithHint("set another webhooks.callbackAddress in sluice.yaml")
}

// writeFile replaces the file as a whole, durably.
func writeFile(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".record-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
