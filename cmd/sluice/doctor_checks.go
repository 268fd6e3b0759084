package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/kubernetes"
	"github.com/sluice-cd/sluice/internal/kubernetes/rights"
	"github.com/sluice-cd/sluice/internal/secret"
)

// readConfig returns false where nothing else can be looked at.
func (d *doctor) readConfig() bool {
	c, err := d.app.configuration(d.source.file)
	if err != nil {
		d.wrong("configuration", err)
		return false
	}
	d.config = c
	if c.File == "" {
		d.ok("configuration", "there is no %s; the defaults hold", config.FileName)
		return true
	}
	d.ok("configuration", "%s", c.File)
	return true
}

// readFile compiles the deploy file, where one is named.
func (d *doctor) readFile(ctx context.Context) bool {
	if d.source.file == "" {
		return true
	}
	d.source.local = localAccounts(d.config)
	if store, err := d.dir.read(ctx); err == nil {
		defer store.Close()
		d.source.history = store
	}
	p, _, ds, err := d.source.compile(ctx, nil)
	if err == nil && ds.HasErrors() {
		err = ds
	}
	if err == nil {
		err = checkAccounts(p, d.config)
	}
	if err != nil {
		d.wrong("deploy file", err)
		return false
	}
	d.plan = p
	d.ok("deploy file", "%s: %s and %s", d.source.file, plural(len(p.Targets), "target"), plural(len(p.Steps), "step"))
	return true
}

// accounts looks at those that the deploy file names, without one at all of them.
func (d *doctor) accounts(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(d.config.Accounts)) {
		c := d.config.Accounts[name]
		if d.plan != nil && !uses(d.plan, name) {
			continue
		}
		if c.Type == config.AccountLocal {
			d.ok("account "+name, "this machine")
			continue
		}
		d.cluster(ctx, c)
	}
}

func (d *doctor) cluster(ctx context.Context, c config.Account) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	name := "account " + c.Name
	a, err := d.wiring.cluster(ctx, c)
	if err != nil {
		d.wrong(name, err)
		return
	}
	r, err := a.Reach(ctx)
	if err != nil {
		d.wrong(name, err)
		return
	}
	d.ok(name, "Kubernetes %s answers in %s", r.Version, r.Latency.Round(100*time.Microsecond))
	d.clock("clock of "+c.Name, r.Skew)
	d.rights(ctx, c.Name, a)
}

// maxSkew is how far clocks may be apart: certificates and tokens allow for a little.
const maxSkew = 5 * time.Second

func (d *doctor) clock(name string, skew time.Duration) {
	if skew.Abs() <= maxSkew {
		d.ok(name, "agrees with this machine's")
		return
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	d.warn(name, "keep both by NTP: deadlines, leases and certificates go by the clock", "it is %s %s this machine's", skew.Abs(), direction)
}

func (d *doctor) rights(ctx context.Context, account string, a *kubernetes.Account) {
	name := "rights on " + account
	found, err := d.review(ctx, account, a)
	switch {
	case err != nil:
		d.wrong(name, err)
	case len(found) > 0:
		d.wrong(name, denied(found))
		d.missing = append(d.missing, found...)
	case d.plan == nil:
		d.ok(name, "everything that each deployment into the namespace %s needs", d.namespace)
	default:
		d.ok(name, "everything that the deploy file needs")
	}
}

func (d *doctor) review(ctx context.Context, account string, a *kubernetes.Account) ([]missingRight, error) {
	if d.plan != nil {
		return missing(ctx, d.plan, map[string]sluice.Account{account: a})
	}
	rights, err := a.Review(ctx, rights.Base(d.namespace))
	var list []missingRight
	for _, r := range rights {
		list = append(list, missingRight{account, r})
	}
	return list, err
}

// metrics asks every provider, or those that the deploy file names, for a number.
func (d *doctor) metrics(ctx context.Context) {
	providers, err := d.wiring.metrics()
	if err != nil {
		d.wrong("metrics", err)
		return
	}
	names := slices.Sorted(maps.Keys(providers))
	if d.plan != nil {
		names = providersIn(d.plan)
	}
	for _, name := range names {
		d.provider(ctx, name, providers[name])
	}
}

// provider asks for what it need not know anything for.
func (d *doctor) provider(ctx context.Context, name string, m sluice.Metrics) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	if m == nil {
		d.wrong("metrics "+name, sluice.Errorf(sluice.NotFound, "the deploy file asks it, and it is not configured").
			WithHint("add it under metrics in %s: %s: {type: prometheus, url: ...}", configName(d.config), name))
		return
	}
	if _, err := m.Measure(ctx, "vector(1)", time.Now()); err != nil {
		d.wrong("metrics "+name, err)
		return
	}
	d.ok("metrics "+name, "%s answers", d.config.Metrics[name].URL)
}

// providersIn returns the metric providers that steps of the plan ask, sorted.
func providersIn(p *sluice.Plan) []string {
	used := map[string]bool{}
	for _, s := range p.Steps {
		if s.Analysis == nil {
			continue
		}
		for _, q := range s.Analysis.Resolved {
			used[q.Provider] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

var usedSecret = regexp.MustCompile(`\{\{\s*secrets\.([A-Za-z0-9_-]+)`)

// secrets reads every secret, or those that the deploy file uses.
func (d *doctor) secrets() {
	names := slices.Sorted(maps.Keys(d.config.Secrets))
	if d.plan != nil {
		var err error
		if names, err = secretsIn(d.plan); err != nil {
			d.wrong("secrets", err)
			return
		}
	}
	for _, name := range names {
		d.secret(name)
	}
}

func (d *doctor) secret(name string) {
	s, ok := d.config.Secrets[name]
	if !ok {
		d.wrong("secret "+name, sluice.Errorf(sluice.NotFound, "the deploy file uses it, and it is not configured").
			WithHint("add it under secrets in %s: %s: {env: NAME} or {file: path}", configName(d.config), name))
		return
	}
	if _, err := secret.Read(s); err != nil {
		d.wrong("secret "+name, err)
		return
	}
	d.ok("secret "+name, "is there")
}

// secretsIn returns the names that templates of the plan use, sorted.
func secretsIn(p *sluice.Plan) ([]string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, m := range usedSecret.FindAllStringSubmatch(string(text), -1) {
		used[m[1]] = true
	}
	return slices.Sorted(maps.Keys(used)), nil
}

// repository proves that a file can be written where checkpoints are or will be.
func (d *doctor) repository() {
	dir := d.config.Repository.Path
	if dir == "" {
		dir = d.dir.path("repository")
	}
	if err := writable(dir); err != nil {
		d.wrong("repository", err)
		return
	}
	if p := d.config.Repository.Password; p.IsSet() {
		if _, err := secret.Read(p); err != nil {
			d.wrong("repository", err)
			return
		}
	}
	d.ok("repository", "%s can be written", dir)
}

// writable tries the directory, or the nearest above it that exists, and leaves nothing behind.
func writable(dir string) error {
	for {
		f, err := os.CreateTemp(dir, ".sluice-doctor-*")
		if err == nil {
			return errors.Join(f.Close(), os.Remove(f.Name()))
		}
		if above := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && above != dir {
			dir = above
			continue
		}
		return sluice.Errorf(sluice.Denied, "%s cannot be written: %w", dir, err).
			WithHint("name another directory in sluice.yaml: repository: {path: ...}")
	}
}

// callbacks looks at where callbacks are listened for, and whether a cluster could reach it.
func (d *doctor) callbacks(ctx context.Context) {
	w := d.config.Webhooks
	if !d.listens() {
		return
	}
	if w.CallbackURL != "" {
		d.callbackURL(ctx, w.CallbackURL)
		return
	}
	host, _, err := net.SplitHostPort(w.CallbackAddress)
	if err != nil {
		d.wrong("callbacks", sluice.Errorf(sluice.Invalid, "%q is not of the form host:port", w.CallbackAddress))
		return
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() && d.awaitsFromCluster() {
		d.warn("callbacks", "set webhooks.callbackAddress and callbackURL to where the clusters reach this machine",
			"they are awaited at %s, which no cluster can reach", host)
		return
	}
	d.ok("callbacks", "awaited at %s", w.CallbackAddress)
}

// listens proves that the address can be listened at; one that an engine of this directory listens at can.
func (d *doctor) listens() bool {
	l, err := net.Listen("tcp", d.config.Webhooks.CallbackAddress)
	if err == nil {
		err = l.Close()
	}
	if _, running := os.Stat(d.dir.socket()); err == nil || running == nil {
		return true
	}
	d.wrong("callbacks", sluice.Errorf(sluice.Exhausted, "callbacks cannot be listened for: %w", err).
		WithHint("set webhooks.callbackAddress in sluice.yaml to a free port of this machine"))
	return false
}

func (d *doctor) callbackURL(ctx context.Context, address string) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		d.wrong("callbacks", sluice.Errorf(sluice.Invalid, "%q is no URL", address))
		return
	}
	if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
		d.warn("callbacks", "see whether the name is right, and known where webhooks are called", "the name %s of callbackURL is not known here", u.Hostname())
		return
	}
	d.ok("callbacks", "reached by others at %s", address)
}

// awaitsFromCluster reports whether a webhook may be answered from a cluster: one of the plan, or any.
func (d *doctor) awaitsFromCluster() bool {
	if d.plan == nil {
		return slices.ContainsFunc(slices.Collect(maps.Values(d.config.Accounts)), func(a config.Account) bool { return a.Type == config.AccountKubernetes })
	}
	return slices.ContainsFunc(d.plan.Steps, func(s sluice.PlannedStep) bool {
		t, _ := d.plan.Target(s.Target)
		w := s.RunWebhook
		return w != nil && w.Webhook != nil && !w.Webhook.DisableCallback && d.config.Accounts[t.Account].Type == config.AccountKubernetes
	})
}
