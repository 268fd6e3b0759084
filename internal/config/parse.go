package config

import (
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

var limits = yamldoc.Limits{Bytes: 1 << 20, Nodes: 100_000, Depth: 50}

// Parse reads the content of the named file. Relative paths in it are relative to the file's directory. Parse reports
// all mistakes at once, in the order of the file. The Config is nil if there is an error.
func Parse(file string, data []byte) (*Config, sluice.Diagnostics) {
	roots, ds := yamldoc.ReadOn(file, data, limits)
	r := &reader{file: file, diags: ds}
	c := Default()
	c.File = file
	if len(roots) > 0 {
		r.config(roots[0], c)
	}
	if len(roots) > 1 {
		r.fault(roots[1], codeSeveralDocuments, "write one document; remove the --- and what follows",
			"the configuration has more than one document")
	}
	r.diags = r.diags.InOrder(file)
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	return c, r.diags
}

func (r *reader) config(n *yaml.Node, c *Config) {
	r.mapping(n, fields{
		"accounts": func(n *yaml.Node) {
			c.Accounts = map[string]Account{}
			r.each(n, func(name string, n *yaml.Node) { c.Accounts[name] = r.account(name, n) })
		},
		"metrics": func(n *yaml.Node) {
			r.each(n, func(name string, n *yaml.Node) { c.Metrics[name] = r.metrics(name, n) })
		},
		"secrets": func(n *yaml.Node) {
			r.each(n, func(name string, n *yaml.Node) { c.Secrets[name] = r.source(n) })
		},
		"repository": func(n *yaml.Node) { r.repository(n, &c.Repository) },
		"webhooks":   func(n *yaml.Node) { r.webhooks(n, &c.Webhooks) },
		"jobs": func(n *yaml.Node) {
			r.mapping(n, fields{
				"listen":  func(n *yaml.Node) { c.Jobs.Listen = r.address(n) },
				"address": func(n *yaml.Node) { c.Jobs.Address = r.address(n) },
			})
		},
		"server":   func(n *yaml.Node) { c.Server = r.server(n) },
		"retryFor": func(n *yaml.Node) { c.RetryFor = r.duration(n) },
	})
}

func (r *reader) repository(n *yaml.Node, to *Repository) {
	r.mapping(n, fields{
		"path":     func(n *yaml.Node) { to.Path = r.path(n) },
		"s3":       func(n *yaml.Node) { to.S3 = r.s3(n) },
		"password": func(n *yaml.Node) { to.Password = r.source(n) },
	})
	if to.S3 != nil && to.Path != "" {
		r.fault(n, codeBadCombination, "keep path or s3", "a repository is in a directory or in a bucket, not in both")
	}
}

func (r *reader) s3(n *yaml.Node) *S3 {
	s := &S3{Pos: r.pos(n)}
	found := r.mapping(n, fields{
		"endpoint":  func(n *yaml.Node) { s.Endpoint = r.url(n) },
		"bucket":    func(n *yaml.Node) { s.Bucket = r.text(n) },
		"prefix":    func(n *yaml.Node) { s.Prefix = r.text(n) },
		"region":    func(n *yaml.Node) { s.Region = r.text(n) },
		"accessKey": func(n *yaml.Node) { s.AccessKey = r.source(n) },
		"secretKey": func(n *yaml.Node) { s.SecretKey = r.source(n) },
		"caFile":    func(n *yaml.Node) { s.CAFile = r.path(n) },
	})
	for _, key := range []string{"endpoint", "bucket", "accessKey", "secretKey"} {
		if found && !r.has(n, key) {
			r.fault(n, codeMissingKey, "add "+key+"; docs/configuration.md has an example", "this bucket has no %s", key)
		}
	}
	return s
}

func (r *reader) account(name string, n *yaml.Node) Account {
	a := Account{Pos: r.pos(n), Name: name, Type: AccountLocal, Images: map[string]Image{}}
	found := r.mapping(n, fields{
		"type": func(n *yaml.Node) { a.Type = r.oneOf(n, AccountLocal, AccountKubernetes) },
		"images": func(n *yaml.Node) {
			r.each(n, func(name string, n *yaml.Node) { a.Images[name] = r.image(n) })
		},
		"kubeconfig": func(n *yaml.Node) { a.Kubeconfig = r.path(n) },
		"context":    func(n *yaml.Node) { a.Context = r.text(n) },
		"inCluster":  func(n *yaml.Node) { a.InCluster = r.flag(n) },
		"job":        func(n *yaml.Node) { a.Job = r.job(n) },
	})
	if found {
		r.checkAccount(n, a)
	}
	return a
}

// checkAccount reports keys that exclude each other.
func (r *reader) checkAccount(n *yaml.Node, a Account) {
	for _, key := range []string{"kubeconfig", "context", "inCluster", "job"} {
		if a.Type == AccountLocal && r.has(n, key) {
			r.fault(n, codeBadValue, "write type: kubernetes, or remove "+key, "a local account has no %s", key)
			return
		}
	}
	if a.InCluster && (r.has(n, "kubeconfig") || r.has(n, "context")) {
		r.fault(n, codeBadCombination, "keep inCluster: true, or kubeconfig and context",
			"inCluster excludes kubeconfig and context")
	}
}

func (r *reader) job(n *yaml.Node) Job {
	var j Job
	r.mapping(n, fields{
		"image":  func(n *yaml.Node) { j.Image = r.text(n) },
		"user":   func(n *yaml.Node) { j.User = r.user(n) },
		"cpu":    func(n *yaml.Node) { j.CPU = r.text(n) },
		"memory": func(n *yaml.Node) { j.Memory = r.text(n) },
	})
	return j
}

func (r *reader) image(n *yaml.Node) Image {
	i := Image{Dir: filepath.Dir(r.abs("x")), Env: map[string]string{}}
	found := r.mapping(n, fields{
		"command": func(n *yaml.Node) { i.Command = r.list(n) },
		"dir":     func(n *yaml.Node) { i.Dir = r.path(n) },
		"env": func(n *yaml.Node) {
			r.each(n, func(name string, n *yaml.Node) { i.Env[name] = r.text(n) })
		},
	})
	if found && len(i.Command) == 0 {
		r.fault(n, codeMissingKey, "add the command, like command: [bin/shop, --port, \"8080\"]", "this image has no command")
		return i
	}
	// The path of a program is relative to this file; a bare name is searched in PATH.
	if len(i.Command) > 0 && strings.ContainsRune(i.Command[0], filepath.Separator) {
		i.Command[0] = r.abs(i.Command[0])
	}
	return i
}

func (r *reader) metrics(name string, n *yaml.Node) Metrics {
	m := Metrics{Pos: r.pos(n), Name: name, Type: MetricsPrometheus}
	found := r.mapping(n, fields{
		"type":     func(n *yaml.Node) { m.Type = r.oneOf(n, MetricsPrometheus) },
		"url":      func(n *yaml.Node) { m.URL = r.url(n) },
		"username": func(n *yaml.Node) { m.Username = r.text(n) },
		"password": func(n *yaml.Node) { m.Password = r.source(n) },
		"bearer":   func(n *yaml.Node) { m.Bearer = r.source(n) },
		"caFile":   func(n *yaml.Node) { m.CAFile = r.path(n) },
	})
	switch {
	case !found:
	case !r.has(n, "url"):
		r.fault(n, codeMissingKey, "add its address, like url: http://127.0.0.1:9090", "this metric provider has no url")
	case m.Bearer.IsSet() && (m.Username != "" || m.Password.IsSet()):
		r.fault(n, codeBadCombination, "keep bearer, or username and password", "bearer excludes username and password")
	case m.Password.IsSet() && m.Username == "":
		r.fault(n, codeMissingKey, "add username", "password needs a username")
	}
	return m
}

func (r *reader) source(n *yaml.Node) Source {
	s := Source{Pos: r.pos(n)}
	found := r.mapping(n, fields{
		"env":  func(n *yaml.Node) { s.Env = r.text(n) },
		"file": func(n *yaml.Node) { s.File = r.path(n) },
	})
	if found && (s.Env == "") == (s.File == "") {
		r.fault(n, codeBadCombination, "write {env: NAME} or {file: path}", "a secret needs exactly one of env and file")
	}
	return s
}

func (r *reader) webhooks(n *yaml.Node, w *Webhooks) {
	r.mapping(n, fields{
		"callbackAddress": func(n *yaml.Node) { w.CallbackAddress = r.address(n) },
		"callbackURL":     func(n *yaml.Node) { w.CallbackURL = strings.TrimRight(r.url(n), "/") },
		"allow":           func(n *yaml.Node) { w.Allow = r.list(n) },
		"caFile":          func(n *yaml.Node) { w.CAFile = r.path(n) },
		"replace": func(n *yaml.Node) {
			w.Replace = map[string]string{}
			r.each(n, func(from string, n *yaml.Node) {
				if !ValidURL(from) {
					r.fault(n, codeBadValue, "write it like https://api.example.com", "%s is not an http or https URL",
						yamldoc.Quote(from))
				}
				w.Replace[from] = r.url(n)
			})
		},
	})
}
