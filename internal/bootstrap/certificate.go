package bootstrap

import (
	"crypto/tls"
	"os"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// A certificate is the TLS certificate of the server. It looks at its files at each handshake, so that a renewed one is
// used without a restart. While the files cannot be used, the previous pair stays. It is safe for concurrent use.
type certificate struct {
	files config.TLS
	note  func(format string, args ...any)

	mu     sync.Mutex
	seen   [2]os.FileInfo // the files when they were last read; nil: absent
	served *tls.Certificate
}

// loadCertificate reads the files, which have to be right at first. note is told once what is wrong with later ones.
func loadCertificate(files config.TLS, note func(format string, args ...any)) (*certificate, error) {
	c := &certificate{files: files, note: note, seen: look(files)}
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the certificate of the server cannot be used: %w", err).
			WithHint("correct server.tls in sluice.yaml")
	}
	c.served = &pair
	return c, nil
}

// current returns the certificate for a handshake.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := look(c.files)
	if isSame(now, c.seen) {
		return c.served, nil
	}
	c.seen = now // before it is read: a change from now on is seen at the next handshake
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	switch {
	case err == nil:
		c.served = &pair
	case isSame(look(c.files), now): // otherwise it changes just now
		c.note("warning: the certificate of the server has changed and cannot be used; the previous one stays in use: %v",
			err)
	}
	return c.served, nil
}

// look returns what tells one content of the files from another.
func look(files config.TLS) (seen [2]os.FileInfo) {
	for i, name := range []string{files.CertFile, files.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			seen[i] = info
		}
	}
	return seen
}

func isSame(a, b [2]os.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return false
		}
		if a[i] != nil && (!os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime())) {
			return false
		}
	}
	return true
}
