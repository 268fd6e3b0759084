package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// checkPatience is how long one check waits for an answer.
const checkPatience = 15 * time.Second

// The states of a check.
const (
	CheckOK      = "ok"
	CheckWarning = "warning"
	CheckWrong   = "wrong"
)

// A Check is the result for one thing that was examined.
type Check struct {
	Name     string             `json:"name"`
	State    string             `json:"state"` // CheckOK, CheckWarning or CheckWrong
	Detail   string             `json:"detail"`
	Hint     string             `json:"hint,omitempty"`
	Code     sluice.Code        `json:"code,omitempty"` // if it is wrong
	Findings sluice.Diagnostics `json:"-"`              // in a file that is wrong
}

// Wrong returns the check of something that has the error.
func Wrong(name string, err error) Check {
	c := Check{
		Name: name, State: CheckWrong, Detail: err.Error(), Hint: sluice.ErrorHint(err), Code: sluice.ErrorCode(err),
	}
	c.Findings, _ = errors.AsType[sluice.Diagnostics](err)
	if errors.Is(err, context.DeadlineExceeded) {
		c.Detail, c.Code = "no answer within "+checkPatience.String(), sluice.Unavailable
	}
	return c
}

// A Cluster is an account that can be examined.
type Cluster interface {
	sluice.Reviewer
	// Reach asks the API server for its version. Unavailable: it does not answer; Denied: it rejects the credentials.
	Reach(ctx context.Context) (Reached, error)
	// MissingBase returns the missing rights among those that every deployment into the namespace needs.
	MissingBase(ctx context.Context, namespace string) ([]sluice.Right, error)
}

// Reached is the answer of a cluster.
type Reached struct {
	Version string
	Latency time.Duration // of one call on an open connection
	Skew    time.Duration // how far its clock is ahead of this machine's
}

// Adapters open what a Doctor examines.
type Adapters interface {
	Cluster(ctx context.Context, c config.Account) (Cluster, error)
	Metrics() (map[string]sluice.Metrics, error)
	// ReadSecret returns the value of the source.
	ReadSecret(s config.Source) (string, error)
	// RepositoryDir returns the directory of the checkpoints, "" if they are in a bucket.
	RepositoryDir() string
	// IsListening reports whether an engine of the state directory listens for callbacks.
	IsListening() bool
}

// A Doctor examines everything that deployments rely on. It changes nothing.
type Doctor struct {
	Config     *config.Config
	Adapters   Adapters
	ServerSite ServerSite                  // nil: the section server is not examined
	Source     Source                      // without a file: what any deployment needs is examined
	History    *history.Index              // of earlier deployments; nil: there are none
	Catalogue  sluice.Catalogue            // of their checkpoints; nil: there are none
	Namespace  string                      // whose rights are examined without a file
	Receivers  func(config.Receiver) error // finds what a receiver lacks, and sends nothing
	plan       *sluice.Plan                // nil without a file

	Checks  []Check
	Missing []sluice.MissingRight
}

// Verify adds the check of the state directory. verify returns how many deployments the directory holds.
func (d *Doctor) Verify(ctx context.Context, verify func(context.Context) (int, error)) {
	n, err := verify(ctx)
	d.result("history", err, "%d deployments, nothing is damaged", n)
}

// Examine adds to Checks and fills in Missing. Without a valid deploy file it stops there.
func (d *Doctor) Examine(ctx context.Context) {
	file := cmp.Or(d.Config.File, "there is no "+config.FileName+"; the defaults apply")
	d.add("configuration", CheckOK, "", "%s", file)
	if d.Source.File != "" && !d.file(ctx) {
		return
	}
	d.missingAccounts()
	d.accounts(ctx)
	d.metrics(ctx)
	d.secrets()
	d.repository(ctx)
	d.webhooks()
	d.callbacks(ctx)
	d.receivers()
	d.server(ctx)
}

func (d *Doctor) add(name, state, hint, format string, args ...any) {
	d.Checks = append(d.Checks, Check{Name: name, State: state, Detail: fmt.Sprintf(format, args...), Hint: hint})
}

// result adds a check that has the error, or without one the detail, and reports whether it is right.
func (d *Doctor) result(name string, err error, format string, args ...any) bool {
	if err != nil {
		d.Checks = append(d.Checks, Wrong(name, err))
		return false
	}
	d.add(name, CheckOK, "", format, args...)
	return true
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// file compiles the deploy file.
func (d *Doctor) file(ctx context.Context) bool {
	c, err := Compile(ctx, d.Source, Surroundings{Local: LocalAccounts(d.Config), History: d.History})
	if err != nil {
		return d.result("deploy file", err, "")
	}
	d.plan = c.Plan
	targets, steps := count(len(c.Plan.Targets), "target"), count(len(c.Plan.Steps), "step")
	return d.result("deploy file", nil, "%s: %s and %s", d.Source.File, targets, steps)
}

// accounts examines the accounts that the deploy file uses, or all of them.
func (d *Doctor) accounts(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(d.Config.Accounts)) {
		c := d.Config.Accounts[name]
		switch {
		case d.plan != nil && !Uses(d.plan, name):
			continue
		case c.Type == config.AccountLocal:
			d.add("account "+name, CheckOK, "", "this machine")
		default:
			d.cluster(ctx, c)
		}
		if d.plan != nil {
			d.images(c)
		}
	}
}

// missingAccounts names the accounts that the deploy file uses and that are not configured.
func (d *Doctor) missingAccounts() {
	if d.plan == nil {
		return
	}
	missing := missingAccounts(d.plan, d.Config)
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		err := sluice.Errorf(sluice.Invalid, "%s", missing[name].Message).WithHint("%s", missing[name].Hint)
		d.result("account "+name, err, "")
	}
}

func (d *Doctor) cluster(ctx context.Context, c config.Account) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	var r Reached
	a, err := d.Adapters.Cluster(ctx, c)
	if err == nil {
		r, err = a.Reach(ctx)
	}
	latency := r.Latency.Round(100 * time.Microsecond)
	if !d.result("account "+c.Name, err, "Kubernetes %s answers in %s", r.Version, latency) {
		return
	}
	d.clock("clock of "+c.Name, r.Skew)
	d.rights(ctx, c.Name, a)
}

// maxSkew is how far clocks may differ. Certificates and tokens tolerate a little.
const maxSkew = 5 * time.Second

func (d *Doctor) clock(name string, skew time.Duration) {
	if skew.Abs() <= maxSkew {
		d.add(name, CheckOK, "", "agrees with the clock of this machine")
		return
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	d.add(name, CheckWarning, "synchronise both with NTP: deadlines and certificates depend on the clock",
		"it is %s %s the clock of this machine", skew.Abs(), direction)
}

func (d *Doctor) rights(ctx context.Context, account string, a Cluster) {
	found, err := d.review(ctx, account, a)
	d.Missing = append(d.Missing, found...)
	if err == nil {
		err = Denied(found)
	}
	if err == nil && len(found) > 0 {
		d.add("rights on "+account, CheckWarning, "grant them as shown below to learn more when something fails",
			"%s missing that deployments can go on without", count(len(found), "right"))
		return
	}
	needed := "everything that the deploy file needs"
	if d.plan == nil {
		needed = "everything that each deployment into the namespace " + d.Namespace + " needs"
	}
	d.result("rights on "+account, err, "%s", needed)
}

func (d *Doctor) review(ctx context.Context, account string, a Cluster) ([]sluice.MissingRight, error) {
	if d.plan != nil {
		return missing(ctx, d.plan, map[string]sluice.Reviewer{account: a})
	}
	rights, err := a.MissingBase(ctx, d.Namespace)
	var list []sluice.MissingRight
	for _, r := range rights {
		list = append(list, sluice.MissingRight{Account: account, Right: r})
	}
	return list, err
}

// metrics asks the providers that the deploy file uses, or all of them, for a number.
func (d *Doctor) metrics(ctx context.Context) {
	providers, err := d.Adapters.Metrics()
	if err != nil {
		d.result("metrics", err, "")
		return
	}
	names := slices.Sorted(maps.Keys(providers))
	if d.plan != nil {
		names = providersIn(d.plan)
	}
	for _, name := range names {
		err := measure(ctx, providers[name])
		if providers[name] == nil {
			err = sluice.Errorf(sluice.NotFound, "the deploy file uses it, but it is not configured").
				WithHint("%s", providerHint(d.Config, name))
		}
		d.result("metrics "+name, err, "%s answers", redacted(d.Config.Metrics[name].URL))
	}
}

// redacted returns the address without its password.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "it"
	}
	return u.Redacted()
}

// measure evaluates a constant, for which the provider needs no data.
func measure(ctx context.Context, m sluice.Metrics) error {
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	_, err := m.Measure(ctx, "vector(1)", time.Now())
	return err
}

// providersIn returns the sorted metric providers of the plan.
func providersIn(p *sluice.Plan) []string {
	var used []string
	for _, s := range p.Steps {
		used = append(used, providersOf(s)...)
	}
	return slices.Compact(slices.Sorted(slices.Values(used)))
}

// providersOf returns the metric providers of the step.
func providersOf(s sluice.PlannedStep) (used []string) {
	if s.Analysis == nil {
		return nil
	}
	for _, q := range s.Analysis.Resolved {
		if !slices.Contains(used, q.Provider) {
			used = append(used, q.Provider)
		}
	}
	return used
}

// secrets reads the secrets that the deploy file uses, or all of them.
func (d *Doctor) secrets() {
	names := slices.Sorted(maps.Keys(d.Config.Secrets))
	if d.plan != nil {
		var err error
		if names, err = secretsIn(d.plan); err != nil {
			d.result("secrets", err, "")
			return
		}
	}
	for _, name := range names {
		s, ok := d.Config.Secrets[name]
		err := error(sluice.Errorf(sluice.NotFound, "the deploy file uses it, but it is not configured").
			WithHint("%s", secretHint(d.Config, name)))
		if ok {
			_, err = d.Adapters.ReadSecret(s)
		}
		d.result("secret "+name, err, "can be read")
	}
}

// secretsIn returns the sorted names of the secrets that templates of the plan use.
func secretsIn(p *sluice.Plan) ([]string, error) {
	var used []string
	for _, s := range p.Steps {
		names, err := secretsOf(s)
		if err != nil {
			return nil, err
		}
		used = append(used, names...)
	}
	return slices.Compact(slices.Sorted(slices.Values(used))), nil
}

// repository proves that the directory of checkpoints can be written and was not lost, and that its password can be
// read.
func (d *Doctor) repository(ctx context.Context) {
	if s := d.Config.Repository.S3; s != nil {
		d.bucket(s)
		return
	}
	dir := d.Adapters.RepositoryDir()
	err := writable(dir)
	if p := d.Config.Repository.Password; err == nil && p.IsSet() {
		_, err = d.Adapters.ReadSecret(p)
	}
	if n := d.lostCheckpoints(ctx, dir); err == nil && n > 0 {
		d.add("repository", CheckWarning,
			"put the directory back from a copy, or correct repository: {path: ...} in "+ConfigName(d.Config),
			"%s holds none of the %s that sluice data list shows", dir, count(n, "checkpoint"))
		return
	}
	d.result("repository", err, "%s can be written", dir)
}

// bucket proves that the password and the keys of a bucket can be read.
func (d *Doctor) bucket(s *config.S3) {
	var err error
	for _, source := range []config.Source{d.Config.Repository.Password, s.AccessKey, s.SecretKey} {
		if err == nil && source.IsSet() {
			_, err = d.Adapters.ReadSecret(source)
		}
	}
	d.result("repository", err, "the keys of the bucket %s at %s can be read", s.Bucket, s.Endpoint)
}

// lostCheckpoints returns how many checkpoints the catalogue has, 0 if the directory holds anything.
func (d *Doctor) lostCheckpoints(ctx context.Context, dir string) int {
	if entries, err := os.ReadDir(dir); d.Catalogue == nil || err == nil && len(entries) > 0 {
		return 0
	}
	list, err := d.Catalogue.Checkpoints(ctx, "")
	if err != nil {
		return 0 // the check of the history says why
	}
	return len(list)
}

// writable tries to write in the directory, or in its nearest parent that exists. It leaves nothing behind.
func writable(dir string) error {
	for {
		f, err := os.CreateTemp(dir, ".sluice-doctor-*")
		if err == nil {
			_, err = f.Write(make([]byte, 4096)) // a full disk still takes new names
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
		if err == nil {
			return nil
		}
		if above := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && above != dir {
			dir = above
			continue
		}
		return sluice.Errorf(sluice.Denied, "%s cannot be written: %w", dir, err).
			WithHint("name another directory in sluice.yaml: repository: {path: ...}")
	}
}

// webhooks reads the certificates that webhooks trust. Those of metric providers are tried by asking the provider.
func (d *Doctor) webhooks() {
	if file := d.Config.Webhooks.CAFile; file != "" {
		_, err := outbound.Certificates(file)
		d.result("webhooks", err, "trust the certificates in %s", file)
	}
}

// callbacks examines the callback address, and whether a cluster can reach it.
func (d *Doctor) callbacks(ctx context.Context) {
	const name = "callbacks"
	w := d.Config.Webhooks
	if l, err := net.Listen("tcp", w.CallbackAddress); err == nil {
		_ = l.Close() // nothing was accepted
	} else if !d.Adapters.IsListening() {
		d.result(name, sluice.Errorf(sluice.Exhausted, "the callback address cannot be opened: %w", err).
			WithHint("set webhooks.callbackAddress in sluice.yaml to a free port of this machine"), "")
		return
	}
	host, _, err := net.SplitHostPort(w.CallbackAddress)
	if err != nil {
		d.result(name, sluice.Errorf(sluice.Invalid, "%q is not of the form host:port", w.CallbackAddress), "")
		return
	}
	says := "arrive at " + w.CallbackAddress
	if w.CallbackURL != "" {
		u, err := url.Parse(w.CallbackURL)
		if err != nil {
			d.result(name, sluice.Errorf(sluice.Invalid, "%q is not a URL", w.CallbackURL), "")
			return
		}
		host, says = u.Hostname(), "others reach this machine at "+w.CallbackURL
	}
	d.callbackHost(ctx, host, says)
}

// callbackHost examines the host that callers are told.
func (d *Doctor) callbackHost(ctx context.Context, host, says string) {
	const name = "callbacks"
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", cmp.Or(host, "0.0.0.0"))
	if err != nil {
		d.add(name, CheckWarning, "check the name; it has to resolve where webhooks are called",
			"this machine cannot resolve the name %s", host)
		return
	}
	isOutside := func(a netip.Addr) bool { return !a.Unmap().IsLoopback() }
	if !slices.ContainsFunc(addresses, isOutside) && d.awaitsFromCluster() {
		d.add(name, CheckWarning,
			"set webhooks.callbackAddress and callbackURL to an address of this machine that the clusters can reach",
			"arrive at %s, which no cluster can reach", host)
		return
	}
	d.add(name, CheckOK, "", "%s", says)
}

// awaitsFromCluster reports whether a webhook of the plan, or of any plan, may be answered from a cluster.
func (d *Doctor) awaitsFromCluster() bool {
	if d.plan == nil {
		isCluster := func(a config.Account) bool { return a.Type == config.AccountKubernetes }
		return slices.ContainsFunc(slices.Collect(maps.Values(d.Config.Accounts)), isCluster)
	}
	return slices.ContainsFunc(d.plan.Steps, func(s sluice.PlannedStep) bool {
		t, _ := d.plan.Target(s.Target)
		w := s.RunWebhook
		return w != nil && w.Webhook != nil && !w.Webhook.DisableCallback &&
			d.Config.Accounts[t.Account].Type == config.AccountKubernetes
	})
}
