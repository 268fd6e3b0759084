package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
)

const wholeServer = `
server:
  listen: 0.0.0.0:8443
  address: https://sluice.example.com/
  tls: {certFile: tls/tls.crt, keyFile: tls/tls.key}
  key: {file: key}
  database: {env: SLUICE_DATABASE}
  identity:
    issuer: https://id.example.com/realms/acme
    clientId: sluice
    clientSecret: {file: client-secret}
    cliClientId: sluice-cli
    userClaim: upn
    groupsClaim: roles
    scopes: [profile, groups]
    caFile: ca.pem
  workloads:
    github: {issuer: https://token.actions.githubusercontent.com}
    cluster: {issuer: https://k8s.example.com, audience: sluice, caFile: k8s.pem, tokenFile: k8s.token}
  roles:
    viewer:
      members: [{group: everybody}, {user: "*@example.com"}]
      grants: [{verbs: [view]}]
    deployer:
      members:
        - {workload: github, claims: {repository: acme/shop, ref: "refs/heads/release-*"}}
        - {workload: cluster, claims: {sub: "system:serviceaccount:ci:deployer"}}
      grants:
        - {verbs: [view, deploy], applications: [shop, "shop-*"], targets: [staging]}
        - {verbs: [administer]}
`

func TestParseReadsAServer(t *testing.T) {
	c, ds := config.Parse("/etc/app/sluice.yaml", []byte(wholeServer))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := config.Server{
		Listen: "0.0.0.0:8443", Address: "https://sluice.example.com",
		TLS:      config.TLS{CertFile: "/etc/app/tls/tls.crt", KeyFile: "/etc/app/tls/tls.key"},
		Key:      config.Source{File: "/etc/app/key"},
		Database: config.Source{Env: "SLUICE_DATABASE"},
		Identity: &config.Identity{
			Issuer: "https://id.example.com/realms/acme", ClientID: "sluice", CLIClientID: "sluice-cli",
			UserClaim: "upn", GroupsClaim: "roles",
			ClientSecret: config.Source{File: "/etc/app/client-secret"}, Scopes: []string{"profile", "groups"},
			CAFile: "/etc/app/ca.pem",
		},
		Workloads: []config.Workload{
			{Name: "github", Issuer: "https://token.actions.githubusercontent.com", Audience: "https://sluice.example.com"},
			{Name: "cluster", Issuer: "https://k8s.example.com", Audience: "sluice", CAFile: "/etc/app/k8s.pem",
				TokenFile: "/etc/app/k8s.token"},
		},
		Roles: []access.Role{
			{Name: "deployer", Members: []access.Member{
				{Workload: "github", Claims: map[string]string{"repository": "acme/shop", "ref": "refs/heads/release-*"}},
				{Workload: "cluster", Claims: map[string]string{"sub": "system:serviceaccount:ci:deployer"}},
			}, Grants: []access.Grant{
				{Verbs: []access.Verb{access.View, access.Deploy}, Applications: []string{"shop", "shop-*"},
					Targets: []string{"staging"}},
				{Verbs: []access.Verb{access.Administer}},
			}},
			{Name: "viewer", Members: []access.Member{{Group: "everybody"}, {User: "*@example.com"}},
				Grants: []access.Grant{{Verbs: []access.Verb{access.View}}}},
		},
	}
	if diff := cmp.Diff(want, c.Server, cmpopts.IgnoreTypes(sluice.Position{})); diff != "" {
		t.Error(diff)
	}
}

func TestServerURL(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "http://127.0.0.1:8080",
		"server: {listen: 'localhost:9000'}": "http://localhost:9000",
		"server: {tls: {certFile: a, keyFile: b}}":                          "https://127.0.0.1:8080",
		"server: {address: 'http://localhost:9000/', listen: '[::1]:9000'}": "http://localhost:9000",
	} {
		c, ds := config.Parse("s.yaml", []byte(in))
		if len(ds) > 0 {
			t.Errorf("%q: %v", in, ds)
			continue
		}
		if got := c.Server.URL(); got != want || !c.Server.IsOpen() {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// people is an identity that is right, with roles.
const people = "identity: {issuer: 'https://id', clientId: a}, roles: {r: {grants: [{verbs: [view]}]}}"

func TestServerFaults(t *testing.T) {
	role := func(role string) string {
		return "server: {address: 'http://localhost:1', identity: {issuer: 'https://id', clientId: a}, " +
			"workloads: {github: {issuer: 'https://token.actions.githubusercontent.com'}, k8s: {issuer: 'https://k'}}, " +
			"roles: {r: " + role + "}}"
	}
	member := func(m string) string { return role("{grants: [{verbs: [view]}], members: [" + m + "]}") }
	for name, test := range map[string]struct{ in, want string }{
		"open to other machines": {"server: {listen: '0.0.0.0:80'}",
			"everybody who reaches this server may do everything"},
		"open on every address": {"server: {listen: ':8080'}", "everybody who reaches this server"},
		"open on an empty IPv6": {"server: {listen: '[::]:8080'}", "everybody who reaches this server"},
		"open behind a proxy":   {"server: {behindProxy: true}", "everybody who reaches this server"},
		"open with a public address": {"server: {address: 'https://sluice.example.com'}",
			"everybody who reaches this server"},
		"no TLS for other machines": {"server: {listen: '10.0.0.1:80', address: 'http://localhost', " + people + "}",
			"other machines would reach this server without TLS"},
		"tls and a proxy": {"server: {tls: {certFile: a, keyFile: b}, " +
			"behindProxy: true, address: 'https://s', " + people + "}",
			"either Sluice or the proxy"},
		"https that nobody speaks": {"server: {address: 'https://localhost', " + people + "}", "nobody speaks TLS"},
		"http with a certificate": {"server: {address: 'http://localhost', tls: {certFile: a, keyFile: b}}",
			"speaks TLS"},
		"http to other machines":      {"server: {address: 'http://s.example.com', " + people + "}", "without TLS"},
		"half a certificate":          {"server: {tls: {certFile: a}}", "tls needs certFile and keyFile"},
		"an address with a path":      {"server: {address: 'http://localhost/sluice'}", "has more than a scheme"},
		"an address with a user":      {"server: {address: 'http://a:b@localhost'}", "has more than a scheme"},
		"identity without an address": {"server: {" + people + "}", "identity needs an address"},
		"identity without roles": {"server: {address: 'http://localhost', identity: {issuer: 'https://id', clientId: a}}",
			"without roles nobody may do anything"},
		"roles without identity": {"server: {roles: {r: {grants: [{verbs: [view]}]}}}", "roles need to know who somebody is"},
		"identity without a client": {"server: {address: 'http://localhost', identity: {issuer: 'https://id'}, " +
			"roles: {r: {grants: [{verbs: [view]}]}}}", "this identity has no clientId"},
		"an issuer without TLS": {"server: {address: 'http://localhost', identity: {issuer: 'http://id', clientId: a}, " +
			"roles: {r: {grants: [{verbs: [view]}]}}}", "keys that arrive without TLS"},
		"a workload without an audience": {"server: {workloads: {a: {issuer: 'https://a'}}, " +
			"roles: {r: {grants: [{verbs: [view]}]}}}", "this workload has no audience"},
		"a workload without an issuer": {"server: {workloads: {a: {audience: x}}, " +
			"roles: {r: {grants: [{verbs: [view]}]}}}", "this workload has no issuer"},
		"two workloads that are the same": {"server: {workloads: {a: {issuer: 'https://a', audience: x}, " +
			"b: {issuer: 'https://a', audience: x}}, roles: {r: {grants: [{verbs: [view]}]}}}", "a and b have the same"},
		"a workload with the tokens of people": {"server: {address: 'http://localhost', identity: {issuer: 'https://id', " +
			"clientId: a}, workloads: {b: {issuer: 'https://id', audience: a}}, roles: {r: {grants: [{verbs: [view]}]}}}",
			"would also be one of a person"},

		"a workload with the tokens of people at terminals": {"server: {address: 'http://localhost', identity: {" +
			"issuer: 'https://id', clientId: a, cliClientId: c}, workloads: {b: {issuer: 'https://id', audience: c}}, " +
			"roles: {r: {grants: [{verbs: [view]}]}}}", "would also be one of a person"},

		"a role without grants": {role("{members: [{user: a}]}"), "this role has no grants"},
		"a grant without verbs": {role("{grants: [{targets: [a]}]}"), "this grant has no verbs"},
		"an unknown verb":       {role("{grants: [{verbs: [aprove]}]}"), `there is no verb "aprove"`},
		"a bad pattern":         {role("{grants: [{verbs: [view], applications: ['[a']}]}"), `"[a" is not a pattern`},
		"an empty pattern":      {role("{grants: [{verbs: [view], applications: ['']}]}"), "a pattern is empty"},
		"no applications": {role("{grants: [{verbs: [view], applications: []}]}"),
			"list of applications is empty"},
		"an application, not a list":   {role("{grants: [{verbs: [view], applications: a}]}"), "expected a list"},
		"a place without a namespace":  {role("{grants: [{verbs: [deploy], places: [staging]}]}"), `"staging" is no place`},
		"places that nobody asks for":  {role("{grants: [{verbs: [view], places: ['a/b']}]}"), "only deploy asks for places"},
		"secrets that nobody asks for": {role("{grants: [{verbs: [view], secrets: []}]}"), "only deploy asks for secrets"},
		"metrics that nobody asks for": {role("{grants: [{verbs: [view], metrics: [a]}]}"), "only deploy asks for metrics"},
		"administering one secret": {role("{grants: [{verbs: [administer, deploy], secrets: [a]}]}"),
			"about the whole server"},
		"administering one place": {role("{grants: [{verbs: [administer, deploy], places: ['a/b']}]}"),
			"about the whole server"},
		"administering one target":  {role("{grants: [{verbs: [administer], targets: [a]}]}"), "about the whole server"},
		"an unknown key of a grant": {role("{grants: [{verbs: [view], aplications: [a]}]}"), `unknown key "aplications"`},
		"a member of two kinds":     {member("{user: a, group: b}"), "exactly one of user, group and workload"},
		"a member of no kind":       {member("{}"), "exactly one of user, group and workload"},
		"a user with claims":        {member("{user: a, claims: {b: c}}"), "only a workload has claims"},
		"an unknown workload":       {member("{workload: gitub, claims: {a: b}}"), `there is no workload "gitub"`},
		"a workload without claims": {member("{workload: k8s}"), "every program of its issuer"},
		"a workload with any claims": {member("{workload: k8s, claims: {sub: '*', a: '*/*'}}"),
			"every program of its issuer"},
		"every repository of GitHub": {member("{workload: github, claims: {ref: refs/heads/main}}"), "says whose"},
		"every owner of GitHub":      {member("{workload: github, claims: {repository: '*/shop'}}"), "says whose"},
		"every subject of GitHub":    {member("{workload: github, claims: {sub: 'repo:*'}}"), "says whose"},
		"a bad pattern of a claim":   {member("{workload: k8s, claims: {sub: '[a'}}"), "is not a pattern"},
		"a bad pattern of a user":    {member("{user: '[a'}"), "is not a pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			c, ds := config.Parse("s.yaml", []byte(test.in))
			if c != nil || len(ds) != 1 || !strings.Contains(ds[0].Message, test.want) {
				t.Fatalf("%v\nwant one finding with %q", ds, test.want)
			}
			if ds[0].Hint == "" || !ds[0].Pos.IsValid() {
				t.Errorf("no hint or no place: %+v", ds[0])
			}
		})
	}
	for name, in := range map[string]string{
		"workloads alone": "server: {workloads: {a: {issuer: 'https://a', audience: x}}, " +
			"roles: {r: {grants: [{verbs: [view]}], members: [{workload: a, claims: {sub: b}}]}}}",
		"a proxy": "server: {listen: ':80', " +
			"behindProxy: true, address: 'https://s.example.com', " + people + "}",
		"an owner on GitHub":     member("{workload: github, claims: {repository_owner: acme, ref: 'refs/tags/*'}}"),
		"repositories of GitHub": member("{workload: github, claims: {repository: 'acme/*'}}"),
		"subjects of one owner":  member("{workload: github, claims: {sub: 'repo:acme/*'}}"),
		"an issuer on loopback": "server: {address: 'http://127.0.0.1:8080', identity: {issuer: 'http://127.0.0.1:1', " +
			"clientId: a}, roles: {r: {grants: [{verbs: [view]}]}}}",
		"a role for tokens alone": role("{grants: [{verbs: [view]}]}"),
	} {
		if _, ds := config.Parse("s.yaml", []byte(in)); len(ds) > 0 {
			t.Errorf("%s: %v", name, ds)
		}
	}
}
