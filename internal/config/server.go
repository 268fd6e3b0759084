package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// DefaultListen is where a server listens by default: on this machine.
const DefaultListen = "127.0.0.1:8080"

// A Server says where sluice serve listens and who may call it.
type Server struct {
	Pos         sluice.Position
	Listen      string // host:port
	Address     string // the URL by which others reach it, without a path; "": http:// and Listen
	TLS         TLS
	BehindProxy bool   // a proxy speaks TLS and sets X-Forwarded-For
	Key         Source // the key of the state directory in base64; unset: the directory makes its own
	Database    Source // the URL of a PostgreSQL database; unset: SQLite in the state directory
	Identity    *Identity
	Workloads   []Workload    // by name
	Roles       []access.Role // by name
	Receivers   []Receiver    // of notifications, by name
}

// A TLS names the files of a certificate; both are "" if the server speaks plain HTTP.
type TLS struct{ CertFile, KeyFile string }

// An Identity is the OIDC issuer of people.
type Identity struct {
	Pos          sluice.Position
	Issuer       string
	ClientID     string
	ClientSecret Source // unset: the client has none
	CLIClientID  string // the client of people at terminals, which has no secret; default: ClientID
	UserClaim    string // what roles call a user
	GroupsClaim  string
	Scopes       []string // asked for besides openid
	CAFile       string   // PEM: certificates to trust besides the system's
}

// The defaults of an Identity. An e-mail address counts only if the issuer says that it verified it.
const (
	ClaimEmail    = "email"
	DefaultGroups = "groups"
)

// A Workload is an OIDC issuer of programs, such as CI runs.
type Workload struct {
	Pos       sluice.Position
	Name      string
	Issuer    string
	Audience  string
	CAFile    string // PEM: certificates to trust besides the system's
	TokenFile string // proves to the issuer who asks for its keys; "": it tells everybody
}

// IsOpen reports whether the server takes everybody on this machine for the user of this machine.
func (s *Server) IsOpen() bool {
	return s.Identity == nil && len(s.Workloads) == 0 && len(s.Roles) == 0
}

// CheckListen refuses to listen where others would reach a server that takes everybody for its user, or that speaks no
// TLS. A sluice.yaml was checked when it was read; this is for an address from elsewhere.
func (s *Server) CheckListen() error {
	host, _, err := net.SplitHostPort(s.Listen)
	switch {
	case err != nil:
		return sluice.Errorf(sluice.Invalid, "the address %q is not of the form host:port", s.Listen)
	case isLoopback(host):
		return nil
	case s.IsOpen():
		return sluice.Errorf(sluice.Invalid, "at %s everybody who reaches this server could do everything", s.Listen).
			WithHint("listen at 127.0.0.1, or add identity and roles to server in sluice.yaml")
	case s.TLS.CertFile == "" && !s.BehindProxy:
		return sluice.Errorf(sluice.Invalid, "at %s other machines would reach this server without TLS", s.Listen).
			WithHint("add tls to server in sluice.yaml, or behindProxy: true if a proxy on the way speaks TLS")
	}
	return nil
}

// URL is how others reach the server, without a slash at the end.
func (s *Server) URL() string {
	switch {
	case s.Address != "":
		return s.Address
	case s.TLS.CertFile != "":
		return "https://" + s.Listen
	}
	return "http://" + s.Listen
}

func (r *reader) server(n *yaml.Node) Server {
	s := Server{Pos: r.pos(n), Listen: DefaultListen}
	later := map[string]*yaml.Node{} // what needs to know the rest
	found := r.mapping(n, fields{
		"listen":        func(n *yaml.Node) { s.Listen = r.address(n) },
		"address":       func(n *yaml.Node) { s.Address = r.origin(n) },
		"tls":           func(n *yaml.Node) { s.TLS = r.tls(n) },
		"behindProxy":   func(n *yaml.Node) { s.BehindProxy = r.flag(n) },
		"key":           func(n *yaml.Node) { s.Key = r.source(n) },
		"database":      func(n *yaml.Node) { s.Database = r.source(n) },
		"identity":      func(n *yaml.Node) { s.Identity = r.identity(n) },
		"notifications": func(n *yaml.Node) { s.Receivers = r.receivers(n) },
		"workloads":     func(n *yaml.Node) { later["workloads"] = n },
		"roles":         func(n *yaml.Node) { later["roles"] = n },
	})
	if n := later["workloads"]; n != nil {
		s.Workloads = r.workloads(n, &s)
	}
	if n := later["roles"]; n != nil {
		s.Roles = r.roles(n, &s)
	}
	if found {
		r.checkServer(n, &s)
	}
	return s
}

func (r *reader) tls(n *yaml.Node) (t TLS) {
	found := r.mapping(n, fields{
		"certFile": func(n *yaml.Node) { t.CertFile = r.path(n) },
		"keyFile":  func(n *yaml.Node) { t.KeyFile = r.path(n) },
	})
	if found && (!r.has(n, "certFile") || !r.has(n, "keyFile")) {
		r.fault(n, codeMissingKey, "write tls: {certFile: tls.crt, keyFile: tls.key}", "tls needs certFile and keyFile")
	}
	return t
}

func (r *reader) identity(n *yaml.Node) *Identity {
	i := &Identity{
		Pos: r.pos(n), UserClaim: ClaimEmail, GroupsClaim: DefaultGroups, Scopes: []string{"profile", ClaimEmail},
	}
	found := r.mapping(n, fields{
		"issuer":       func(n *yaml.Node) { i.Issuer = r.issuer(n) },
		"clientId":     func(n *yaml.Node) { i.ClientID = r.text(n) },
		"clientSecret": func(n *yaml.Node) { i.ClientSecret = r.source(n) },
		"cliClientId":  func(n *yaml.Node) { i.CLIClientID = r.text(n) },
		"userClaim":    func(n *yaml.Node) { i.UserClaim = r.text(n) },
		"groupsClaim":  func(n *yaml.Node) { i.GroupsClaim = r.text(n) },
		"scopes":       func(n *yaml.Node) { i.Scopes = r.list(n) },
		"caFile":       func(n *yaml.Node) { i.CAFile = r.path(n) },
	})
	for _, key := range []string{"issuer", "clientId"} {
		if found && !r.has(n, key) {
			r.fault(n, codeMissingKey, "add "+key+"; docs/configuration.md has an example", "this identity has no %s", key)
		}
	}
	i.CLIClientID = cmp.Or(i.CLIClientID, i.ClientID)
	return i
}

// issuer returns the URL of an OIDC issuer, exactly as its tokens name it.
func (r *reader) issuer(n *yaml.Node) string {
	s := r.url(n)
	r.mustBeSecure(n, s, "keys that arrive without TLS may be anybody's")
	return s
}

// origin returns a URL without a path.
func (r *reader) origin(n *yaml.Node) string {
	s := strings.TrimRight(r.url(n), "/")
	if u, err := url.Parse(s); err == nil && ValidURL(s) && (u.Path+u.RawQuery+u.Fragment != "" || u.User != nil) {
		r.fault(n, codeBadValue, "write it like https://sluice.example.com",
			"%s has more than a scheme, a host and a port", yamldoc.Quote(s))
	}
	r.mustBeSecure(n, s, "sessions and tokens would travel without TLS")
	return s
}

// mustBeSecure refuses http to other machines.
func (r *reader) mustBeSecure(n *yaml.Node, address, why string) {
	if u, err := url.Parse(address); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.fault(n, codeBadValue, "write https://"+u.Host, "%s is not https: %s", yamldoc.Quote(address), why)
	}
}

// isLoopback reports whether the host is this machine, and nobody else can reach it.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

func (r *reader) workloads(n *yaml.Node, s *Server) (list []Workload) {
	r.each(n, func(name string, n *yaml.Node) { list = append(list, r.workload(name, n, s)) })
	for i, w := range list {
		for _, other := range list[:i] {
			if w.Issuer == other.Issuer && w.Audience == other.Audience && w.Issuer != "" {
				r.faultAt(w.Pos, codeBadCombination, "give each its own audience, or keep one of them",
					"%s and %s have the same issuer and audience", other.Name, w.Name)
			}
		}
		if p := s.Identity; p != nil && w.Issuer == p.Issuer && w.Issuer != "" &&
			(w.Audience == p.ClientID || w.Audience == p.CLIClientID) {
			r.faultAt(w.Pos, codeBadCombination, "give the workload an audience other than clientId",
				"a token for %s would also be one of a person", w.Name)
		}
	}
	return list
}

func (r *reader) workload(name string, n *yaml.Node, s *Server) Workload {
	w := Workload{Pos: r.pos(n), Name: name, Audience: s.Address}
	found := r.mapping(n, fields{
		"issuer":    func(n *yaml.Node) { w.Issuer = r.issuer(n) },
		"audience":  func(n *yaml.Node) { w.Audience = r.text(n) },
		"caFile":    func(n *yaml.Node) { w.CAFile = r.path(n) },
		"tokenFile": func(n *yaml.Node) { w.TokenFile = r.path(n) },
	})
	if found && !r.has(n, "issuer") {
		r.fault(n, codeMissingKey, "add it, like issuer: https://token.actions.githubusercontent.com",
			"this workload has no issuer")
	}
	if found && !r.has(n, "audience") && w.Audience == "" {
		r.fault(n, codeMissingKey, "add address to server, which is the default audience, or add audience here",
			"this workload has no audience")
	}
	return w
}

// checkServer reports what only together is a mistake.
func (r *reader) checkServer(n *yaml.Node, s *Server) {
	host, _, err := net.SplitHostPort(s.Listen)
	away := err == nil && !isLoopback(host)
	u, _ := url.Parse(s.Address)
	switch {
	case s.IsOpen() && (away || s.BehindProxy || u != nil && u.Host != "" && !isLoopback(u.Hostname())):
		r.fault(n, codeBadCombination, "add identity and roles, or listen on 127.0.0.1 without address and behindProxy",
			"without identity everybody who reaches this server may do everything")
	case away && s.TLS.CertFile == "" && !s.BehindProxy:
		r.fault(n, codeBadCombination, "add tls, or behindProxy: true if a proxy on the way speaks TLS",
			"other machines would reach this server without TLS")
	case s.TLS.CertFile != "" && s.BehindProxy:
		r.fault(n, codeBadCombination, "keep tls or behindProxy", "either Sluice or the proxy speaks TLS to callers")
	case u != nil && u.Scheme == "https" && s.TLS.CertFile == "" && !s.BehindProxy:
		r.fault(n, codeBadCombination, "add tls, or behindProxy: true if a proxy speaks TLS",
			"address is https, but nobody speaks TLS")
	case u != nil && u.Scheme == "http" && s.TLS.CertFile != "":
		r.fault(n, codeBadCombination, "write address: https://"+u.Host, "address is http, but the server speaks TLS")
	case s.Identity != nil && s.Address == "":
		r.fault(n, codeMissingKey, "add it, like address: https://sluice.example.com",
			"identity needs an address, to which the issuer sends people back")
	case !s.IsOpen() && len(s.Roles) == 0:
		r.fault(n, codeMissingKey, "add roles; docs/configuration.md has an example", "without roles nobody may do anything")
	case !s.IsOpen() && s.Identity == nil && len(s.Workloads) == 0:
		r.fault(n, codeMissingKey, "add identity or workloads", "roles need to know who somebody is")
	}
}
