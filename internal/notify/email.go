package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// An Email sends one e-mail for each notification. It implements [Sender].
type Email struct {
	to   config.EmailReceiver
	what string
	read func(config.Source) (string, error)
	from string // the address of the server
}

// Send implements [Sender].
func (e *Email) Send(ctx context.Context, n Notification) error {
	m, err := e.message(n)
	if err != nil {
		return err
	}
	c, err := e.client()
	if err != nil {
		return err
	}
	return e.judge(c.DialAndSendWithContext(ctx, m))
}

// message writes the e-mail. Its id is that of the event, and those of one deployment form a thread.
func (e *Email) message(n Notification) (*gomail.Msg, error) {
	host := "sluice"
	if u, err := url.Parse(e.from); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(m.From(e.to.From), m.To(e.to.To...)); err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the addresses of the e-mail cannot be used: %w", err)
	}
	m.Subject(n.Title)
	m.SetDateWithValue(n.At)
	m.SetMessageIDWithValue(strings.ReplaceAll(n.ID, "/", ".") + "@" + host)
	m.SetGenHeader(gomail.HeaderReferences, "<"+string(n.Data.Deployment)+"@"+host+">")
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	text := append([]string{n.Title, ""}, n.Lines...)
	m.SetBodyString(gomail.TypeTextPlain, strings.Join(append(text, "", n.Data.URL, ""), "\r\n"))
	return m, nil
}

// client returns a connection to the mail server that is not open yet.
func (e *Email) client() (*gomail.Client, error) {
	host, port, err := net.SplitHostPort(e.to.Server)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the %s has no host:port", e.what)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the %s has no port", e.what)
	}
	trust := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if e.to.CAFile != "" {
		if trust.RootCAs, err = outbound.Certificates(e.to.CAFile); err != nil {
			return nil, err
		}
	}
	options := []gomail.Option{gomail.WithPort(number), gomail.WithTLSConfig(trust), gomail.WithTimeout(patience)}
	switch e.to.TLS {
	case config.TLSDirect:
		options = append(options, gomail.WithSSL())
	case config.TLSNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if e.to.Username != "" {
		password, err := e.read(e.to.Password)
		if err != nil {
			return nil, err
		}
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(e.to.Username),
			gomail.WithPassword(password))
	}
	c, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the %s cannot be used: %w", e.what, err)
	}
	return c, nil
}

// judge says what an error of a mail server means. Replies from 500 on are for good.
func (e *Email) judge(err error) error {
	if err == nil {
		return nil
	}
	reply, answered := errors.AsType[*textproto.Error](err)
	code := 0
	if answered {
		code = reply.Code
	}
	if sending, ok := errors.AsType[*gomail.SendError](err); ok && code == 0 {
		code = sending.ErrorCode()
	}
	if code >= 500 {
		refusal := sluice.Errorf(sluice.Denied, "the %s refuses: %w", e.what, err).
			WithHint("check the login and the addresses")
		return &trouble{error: refusal, refused: true}
	}
	if code >= 400 {
		return sluice.Errorf(sluice.Unavailable, "the %s takes no e-mail now: %w", e.what, err)
	}
	why, hint := outbound.Explain(err, "server.notifications, caFile of the e-mail")
	return sluice.Errorf(sluice.Unavailable, "the %s does not answer: %s", e.what, why).WithHint("%s", hint)
}

// Check implements [Sender].
func (e *Email) Check() error {
	if _, err := mail.ParseAddress(e.to.From); err != nil {
		return sluice.Errorf(sluice.Invalid, "the sender of the e-mail is no address: %w", err)
	}
	_, err := e.client()
	return err
}
