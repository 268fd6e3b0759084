package service

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
)

// renewal is how long before its end a certificate should have been renewed.
const renewal = 14 * 24 * time.Hour

// A ServerSite is what the section server of sluice.yaml relies on.
type ServerSite interface {
	// Issuer reads the discovery document of an OIDC issuer, which has to name the same issuer.
	Issuer(ctx context.Context, w config.Workload) error
	// Database returns the version of the PostgreSQL server at the address. One that is too old is Unsupported.
	Database(ctx context.Context, address string) (version string, err error)
	// Key checks that the source has the key of the state directory, if the directory has one.
	Key(s config.Source) error
}

// server examines the section server, if there is one.
func (d *Doctor) server(ctx context.Context) {
	s := &d.Config.Server
	if !s.Pos.IsValid() || d.ServerSite == nil || d.plan != nil {
		return
	}
	d.listen(s)
	if s.TLS.CertFile != "" {
		d.certificate(s, time.Now())
	}
	if s.Key.IsSet() {
		d.result("server key", d.ServerSite.Key(s.Key), "is that of the state directory")
	}
	if s.Database.IsSet() {
		d.database(ctx, s)
	}
	if p := s.Identity; p != nil {
		d.issuer(ctx, config.Workload{Name: "people", Issuer: p.Issuer, Audience: p.ClientID, CAFile: p.CAFile})
	}
	for _, w := range s.Workloads {
		d.issuer(ctx, w)
	}
	if len(s.Roles) > 0 {
		d.roles(ctx, s.Roles)
	}
}

// listen examines whether a server could listen. One that runs does.
func (d *Doctor) listen(s *config.Server) {
	const name = "server address"
	if err := s.CheckListen(); err != nil {
		d.result(name, err, "")
		return
	}
	says := s.URL()
	if !d.Adapters.IsListening() {
		l, err := net.Listen("tcp", s.Listen)
		if err != nil {
			err = sluice.Errorf(sluice.Exhausted, "the server cannot listen at %s: %w", s.Listen, err).
				WithHint("end what listens there, or set another server.listen in %s", ConfigName(d.Config))
			d.result(name, err, "")
			return
		}
		_ = l.Close() // it was only tried
	}
	d.result(name, nil, "%s, at %s", says, s.Listen)
}

// certificate examines the files of the certificate, as they are now.
func (d *Doctor) certificate(s *config.Server, now time.Time) {
	const name = "server certificate"
	pair, err := tls.LoadX509KeyPair(s.TLS.CertFile, s.TLS.KeyFile)
	if err != nil {
		d.result(name, sluice.Errorf(sluice.Invalid, "%s and %s cannot be used: %w", s.TLS.CertFile, s.TLS.KeyFile, err).
			WithHint("put a certificate and its key there, or correct server.tls in %s", ConfigName(d.Config)), "")
		return
	}
	end := pair.Leaf.NotAfter.UTC().Format(time.DateOnly)
	switch host := reachedAs(s); {
	case now.After(pair.Leaf.NotAfter):
		d.result(name, sluice.Errorf(sluice.Invalid, "it expired on %s", end).WithHint("renew %s", s.TLS.CertFile), "")
	case now.Before(pair.Leaf.NotBefore):
		d.result(name, sluice.Errorf(sluice.Invalid, "it is valid only from %s",
			pair.Leaf.NotBefore.UTC().Format(time.RFC3339)).WithHint("check the clock of this machine"), "")
	case host != "" && pair.Leaf.VerifyHostname(host) != nil:
		d.result(name, sluice.Errorf(sluice.Invalid, "it is not for %s: its names are %s", host, names(pair)).
			WithHint("make a certificate for that name, or correct server.address in %s", ConfigName(d.Config)), "")
	case now.Add(renewal).After(pair.Leaf.NotAfter):
		d.add(name, CheckWarning, "renew "+s.TLS.CertFile+"; the server needs no restart", "it expires on %s", end)
	default:
		d.result(name, nil, "is for %s until %s", names(pair), end)
	}
}

// reachedAs returns the name by which others reach the server, "" if sluice.yaml does not say it.
func reachedAs(s *config.Server) string {
	u, err := url.Parse(s.URL())
	if err != nil {
		return ""
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.IsUnspecified() {
		return ""
	}
	return u.Hostname()
}

// names returns for which names and addresses the certificate is.
func names(pair tls.Certificate) string {
	all := append([]string{}, pair.Leaf.DNSNames...)
	for _, ip := range pair.Leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// database examines the store of several servers, and what they have to share besides.
func (d *Doctor) database(ctx context.Context, s *config.Server) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	version := ""
	address, err := d.Adapters.ReadSecret(s.Database)
	if err == nil {
		version, err = d.ServerSite.Database(ctx, address)
	}
	d.result("server database", err, "PostgreSQL %s", version)
	if !s.Key.IsSet() {
		d.add("server key", CheckWarning, "name one key for all servers under server.key; docs/server.md says how to make it",
			"is the file of this state directory, which other servers do not have")
	}
	if d.Adapters.RepositoryDir() != "" {
		d.add("server checkpoints", CheckWarning, "set repository.s3 in "+ConfigName(d.Config),
			"are in a directory of this machine, which other servers cannot read")
	}
}

func (d *Doctor) issuer(ctx context.Context, w config.Workload) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	d.result("issuer of "+w.Name, d.ServerSite.Issuer(ctx, w), "%s answers", w.Issuer)
}

// roles looks for patterns that match nothing. Whether members exist, only the issuers know.
func (d *Doctor) roles(ctx context.Context, roles []access.Role) {
	const name = "server roles"
	known := access.Known{
		Secrets: slices.Collect(maps.Keys(d.Config.Secrets)), Metrics: slices.Collect(maps.Keys(d.Config.Metrics)),
	}
	if d.History != nil {
		list, err := d.History.Deployments(ctx, "")
		if err != nil {
			d.result(name, err, "")
			return
		}
		for _, deployment := range list {
			known.Applications = append(known.Applications, deployment.Application)
		}
	}
	var lines []string
	for _, u := range access.Unused(roles, known) {
		lines = append(lines, fmt.Sprintf("%s %q of %s", u.Kind, u.Pattern, u.Role))
	}
	if len(lines) > 0 {
		d.add(name, CheckWarning, "compare them with the applications in sluice status, and the names in sluice.yaml",
			"patterns match nothing: %s", strings.Join(lines, ", "))
		return
	}
	d.result(name, nil, "%s", count(len(roles), "role"))
}
