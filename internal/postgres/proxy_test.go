package postgres_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// A proxy stands between a store and the server, as a network that fails.
type proxy struct {
	net.Listener
	dir  string // of its socket
	done chan struct{}

	mu   sync.Mutex
	cut  bool   // nothing passes any more, and no connection is closed
	drop string // the next answer with this text does not pass, and its connection is closed
}

const socket = ".s.PGSQL.5432"

// newProxy makes a proxy to the database and returns the address behind it too.
func newProxy(t *testing.T, database string) (p *proxy, address string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy") // short, because the path of a socket is
	must(t, err)
	p = &proxy{dir: dir, done: make(chan struct{})}
	p.Listener, err = net.Listen("unix", filepath.Join(dir, socket))
	must(t, err)
	server := filepath.Join(postgrestest.Shared(t).Dir, socket)
	go p.accept(server)
	t.Cleanup(func() {
		close(p.done)
		_ = p.Close()
		must(t, os.RemoveAll(dir))
	})
	return p, "host=" + dir + " user=sluice dbname=" + database
}

func (p *proxy) accept(server string) {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		behind, err := net.Dial("unix", server)
		if err != nil {
			_ = client.Close()
			continue
		}
		go p.carry(behind, client, false)
		go p.carry(client, behind, true)
	}
}

// carry copies from one side to the other.
func (p *proxy) carry(to io.WriteCloser, from io.ReadCloser, answers bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil || !p.passes(b[:n], answers) {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// passes reports whether bytes go on; while the network is cut it waits for the end of the test.
func (p *proxy) passes(b []byte, answers bool) bool {
	p.mu.Lock()
	cut := p.cut
	dropped := answers && p.drop != "" && bytes.Contains(b, []byte(p.drop))
	if dropped {
		p.drop = ""
	}
	p.mu.Unlock()
	if cut {
		<-p.done
	}
	return !cut && !dropped
}

func (p *proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}
