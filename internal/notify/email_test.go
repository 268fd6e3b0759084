package notify_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/notify"
)

// A post is a mail server that wants a login and TLS.
type post struct {
	address, caFile string
	refuse          *smtp.SMTPError // of every message

	mu   sync.Mutex
	mail []string
	to   [][]string
}

// newPost starts a mail server with the certificate of 127.0.0.1.
func newPost(t *testing.T, direct bool) *post {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	certificate := web.TLS.Certificates[0]
	web.Close()
	p := &post{caFile: filepath.Join(t.TempDir(), "ca.pem")}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(p.caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(p)
	s.Domain, s.TLSConfig = "127.0.0.1", &tls.Config{Certificates: []tls.Certificate{certificate}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	if direct {
		l = tls.NewListener(l, s.TLSConfig)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return p
}

// NewSession implements smtp.Backend.
func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{post: p, conn: c}, nil }

type session struct {
	*post
	conn  *smtp.Conn
	known bool
	rcpt  []string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "sluice" || password != "hush" {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if _, encrypted := s.conn.TLSConnectionState(); !encrypted || !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.rcpt = append(s.rcpt, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.mail, s.to = append(s.mail, string(text)), append(s.to, s.rcpt)
	return nil
}

func (s *session) Reset()        { s.rcpt = nil }
func (s *session) Logout() error { return nil }

// receiver is one that gets e-mail from the server.
func (p *post) receiver(encryption string) config.Receiver {
	return config.Receiver{Name: "mail", Events: sluice.NotificationKinds, Email: &config.EmailReceiver{
		Server: p.address, TLS: encryption, CAFile: p.caFile, From: "Sluice <sluice@example.com>",
		To: []string{"team@example.com", "Bea <bea@example.com>"}, Username: "sluice",
		Password: config.Source{Env: "PASSWORD"},
	}}
}

func TestEmail(t *testing.T) {
	for encryption, direct := range map[string]bool{config.TLSStart: false, config.TLSDirect: true} {
		t.Run(encryption, func(t *testing.T) { testEmail(t, newPost(t, direct), encryption) })
	}
}

func testEmail(t *testing.T, p *post, encryption string) {
	w := newWorld(t)
	hostileLife(w)
	to := p.receiver(encryption)
	r := w.reader(to)
	r.Sender = notify.NewSender(to, outside(map[string]string{"PASSWORD": "hush"}))
	w.known("mail")
	stop := w.run(r)
	w.tally.want(t, 5, 0, 0)
	stop()
	for i, text := range p.mail {
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.to[i], []string{"team@example.com", "bea@example.com"}) {
			t.Errorf("it goes to %v", p.to[i])
		}
		if m.Header.Get("Bcc") != "" || m.Header.Get("From") != `"Sluice" <sluice@example.com>` ||
			m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("References") != "<a@sluice.example.com>" {
			t.Errorf("the headers are %v", m.Header)
		}
		body, err := io.ReadAll(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "\nBcc:") || strings.Contains(text, "hush") {
			t.Errorf("the body is %s", body)
		}
	}
	if first, _ := mail.ReadMessage(bytes.NewReader([]byte(p.mail[0]))); first.Header.Get("Message-ID") !=
		"<a.1@sluice.example.com>" {
		t.Errorf("the id is %s", first.Header.Get("Message-ID"))
	}
}

// A reply from 500 on is a refusal; everything else is a reason to try again.
func TestMailServersThatTakeNothing(t *testing.T) {
	p := newPost(t, false)
	away := p.receiver(config.TLSStart)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away.Email.Server = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stranger := p.receiver(config.TLSStart)
	stranger.Email.CAFile = ""
	for name, test := range map[string]struct {
		to       config.Receiver
		password string
		refuse   *smtp.SMTPError
		code     sluice.Code
		hint     string
	}{
		"away":                {away, "hush", nil, sluice.Unavailable, "nothing listens"},
		"wrong password":      {p.receiver(config.TLSStart), "wrong", nil, sluice.Denied, "login"},
		"unknown certificate": {stranger, "hush", nil, sluice.Unavailable, "caFile"},
		"not now": {p.receiver(config.TLSStart), "hush",
			&smtp.SMTPError{Code: 451, Message: "later"}, sluice.Unavailable, ""},
		"never": {p.receiver(config.TLSStart), "hush", &smtp.SMTPError{Code: 554, Message: "no"}, sluice.Denied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p.mu.Lock()
			p.refuse = test.refuse
			p.mu.Unlock()
			s := notify.NewSender(test.to, outside(map[string]string{"PASSWORD": test.password}))
			err := s.Send(t.Context(), notify.Test(test.to, "test", epoch, address))
			if e, ok := errors.AsType[*sluice.Error](err); !ok || e.Code != test.code || !strings.Contains(e.Hint, test.hint) ||
				strings.Contains(err.Error(), test.password) {
				t.Errorf("%v (%s)", err, sluice.ErrorHint(err))
			}
		})
	}
}
