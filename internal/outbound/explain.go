package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// Explain says why a call had no answer and what helps; the hint is empty if nothing better than the reason is known.
// caFile is the key of sluice.yaml that names the trusted certificates, "" if there is none. Neither text has the
// address, which may hold a secret.
func Explain(err error, caFile string) (why, hint string) {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if why, hint := certificate(err, caFile); why != "" {
		return why, hint
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		lookUp := "check that the DNS of this machine knows the name: getent hosts " + dns.Name
		if dns.IsNotFound {
			return "there is no host " + dns.Name, "correct the name, or " + lookUp
		}
		return "the name " + dns.Name + " cannot be looked up", lookUp
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return err.Error(), "nothing listens there; check the port, and that the server runs"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return err.Error(), "this machine has no route to that address; check its network or VPN"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "no answer in time", "check that the server answers and that no firewall drops the packets"
	case IsBroken(err):
		return "the connection ended before an answer: " + err.Error(),
			"see the log of the server or of the proxy in front of it"
	}
	return err.Error(), ""
}

func certificate(err error, caFile string) (why, hint string) {
	const plain = "server gave HTTP response to HTTPS client" // net/http has no type for it
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		hint := "add that authority to those that this machine trusts"
		if caFile != "" {
			hint = "name the PEM file of that authority in sluice.yaml: " + caFile
		}
		return "its certificate is signed by an unknown authority", hint
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for other names: " + e.Error(), "call it by a name that its certificate has"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return e.Error(), "renew its certificate, and check the clock of this machine"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), plain) {
		return "it does not speak TLS", "write http:// instead of https://, or the port for https"
	}
	return "", ""
}

// IsBroken reports whether a connection ended before an answer came.
func IsBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}

// StatusHint says what helps after an answer that is no success.
func StatusHint(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "check the credentials: they are missing, wrong or expired"
	case status == http.StatusForbidden:
		return "these credentials lack the right; check what they may do"
	case status == http.StatusNotFound, status == http.StatusGone:
		return "check the path; some servers also answer so if the credentials lack the right"
	case status == http.StatusMethodNotAllowed:
		return "check the method and the path"
	case status == http.StatusTooManyRequests:
		return "it limits how often it may be called; call it less often"
	case status >= 500:
		return fmt.Sprintf("see the log of the server or of the proxy in front of it: %d is their fault", status)
	}
	return ""
}
