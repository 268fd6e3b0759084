package rehearsal

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Options are what a rehearsal depends on besides the plan.
type Options struct {
	Local     func(account string) bool              // whether an account is this machine, and no stand-in; nil: none is
	Images    func(account string) map[string]string // what runs for an image, as a person would type it
	Providers map[string]bool                        // metric providers that can be asked
	Secrets   map[string]string                      // secrets that exist; why one cannot be read, "" if it can
	Webhooks  map[string]string                      // how webhooks end, by name
	Jobs      map[string]string                      // how Jobs end, by name
	Metrics   map[string]string                      // what queries answer, by name
	Approve   bool                                   // every step that waits for a person is approved
	MaxWait   time.Duration                          // bounds timed pauses and intervals of analyses; 0: nothing does
	MayBind   func(port int) bool                    // whether this user may listen on the port
}

// Prepare returns the plan as it is rehearsed here. An option that names something that the plan does not have is
// Invalid, and so is an object that no cluster would accept. The given plan is not changed.
func Prepare(p *sluice.Plan, o Options) (*sluice.Plan, error) {
	c := *p
	c.Enqueue = false // a rehearsal must not overtake a release
	r := &rehearser{
		options: o, plan: &c, moved: map[int]bool{},
		out: &sluice.Rehearsal{Webhooks: map[string]string{}, Metrics: map[string]*float64{}, Images: map[string][]string{},
			Services: map[string][]sluice.Ref{}, Approve: o.Approve},
	}
	if err := r.checkNames(); err != nil {
		return nil, err
	}
	r.begin()
	c.Steps = slices.Clone(p.Steps)
	for i := range c.Steps {
		if err := r.step(&c.Steps[i]); err != nil {
			return nil, err
		}
	}
	r.traffic()
	c.Rehearsal = r.out
	return &c, nil
}

// A rehearser changes one plan and records what it changed.
type rehearser struct {
	options Options
	plan    *sluice.Plan
	out     *sluice.Rehearsal
	moved   map[int]bool // ports that were said to be moved
}

// instead notes that something is not done for real in the steps.
func (r *rehearser) instead(what, instead string, steps ...sluice.StepID) {
	i := slices.IndexFunc(r.out.Stands, func(s sluice.Rehearsed) bool { return s.What == what && s.Instead == instead })
	if i < 0 {
		r.out.Stands = append(r.out.Stands, sluice.Rehearsed{What: what, Instead: instead, Steps: steps})
		return
	}
	r.out.Stands[i].Steps = append(r.out.Stands[i].Steps, steps...)
}

// real notes that something is done for real in the steps.
func (r *rehearser) real(what string, steps ...sluice.StepID) {
	i := slices.IndexFunc(r.out.Real, func(s sluice.Real) bool { return s.What == what })
	if i < 0 {
		r.out.Real = append(r.out.Real, sluice.Real{What: what, Steps: steps})
		return
	}
	r.out.Real[i].Steps = append(r.out.Real[i].Steps, steps...)
}

// begin notes what holds for the whole deployment.
func (r *rehearser) begin() {
	for _, name := range Accounts(r.plan) {
		if r.options.Local != nil && r.options.Local(name) {
			r.real("account " + name + " is the one of sluice.yaml")
			continue
		}
		r.instead("account "+name, "a local account on this machine")
	}
	r.real("the order of the targets, their gates, who decides, and what is put back")
}

// Accounts returns the accounts that the plan names, in order.
func Accounts(p *sluice.Plan) []string {
	var list []string
	add := func(name string) {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	for _, t := range p.Targets {
		add(t.Account)
	}
	for _, s := range p.Steps {
		switch {
		case s.RunWebhook != nil && s.RunWebhook.Webhook != nil && s.RunWebhook.Webhook.NetworkMode == "remoteNetworkAgent":
			add(s.RunWebhook.Webhook.AgentIdentifier)
		case s.MigrateData != nil && s.MigrateData.Source != nil:
			add(s.MigrateData.Source.Account)
		}
	}
	return list
}

// plain matches names that a directory may have.
var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// DirName returns the name of the account's directory: the name of the account, if that can be a directory.
func DirName(account string) string {
	if plain.MatchString(account) {
		return account
	}
	return "account-" + digest(account)
}

// checkNames finds options that name something that the plan does not have, or that have an impossible value.
func (r *rehearser) checkNames() error {
	hooks, queries, jobs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range r.plan.Steps {
		if s.RunWebhook != nil {
			hooks[s.RunWebhook.Name] = true
		}
		if s.Analysis != nil {
			for _, q := range s.Analysis.Resolved {
				queries[q.Name] = true
			}
		}
		for name := range jobsOf(s) {
			jobs[name] = true
		}
	}
	if err := known("webhook", r.options.Webhooks, hooks, "succeed", sluice.RehearseFail,
		sluice.RehearseTimeout); err != nil {
		return err
	}
	if err := known("job", r.options.Jobs, jobs, "succeed", sluice.RehearseFail); err != nil {
		return err
	}
	return known("metric", r.options.Metrics, queries)
}

// known refuses names that do not exist and, if values are listed, all other values.
func known(flag string, given map[string]string, exist map[string]bool, values ...string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !exist[name] {
			return sluice.Errorf(sluice.Invalid, "--%s names %q, which no step of the deploy file uses", flag, name).
				WithHint("there are: %s", cmp.Or(strings.Join(slices.Sorted(maps.Keys(exist)), ", "), "none"))
		}
		if len(values) > 0 && !slices.Contains(values, given[name]) {
			return sluice.Errorf(sluice.Invalid, "--%s does not support %[3]q as the result of %[2]q", flag, name, given[name]).
				WithHint("write %s", strings.Join(values, " or "))
		}
	}
	return nil
}

// jobsOf returns the Jobs that a step runs, by the names that --job may use.
func jobsOf(s sluice.PlannedStep) map[string]sluice.Object {
	jobs := map[string]sluice.Object{}
	if s.RunJob != nil {
		jobs[s.RunJob.Name] = s.RunJob.Job
	}
	if s.Apply != nil {
		for _, o := range s.Apply.Objects {
			if o.Text("kind") == "Job" {
				jobs[o.Text("metadata", "name")] = o
			}
		}
	}
	return jobs
}

// traffic notes the weights that a mesh would make.
func (r *rehearser) traffic() {
	for _, t := range r.plan.Targets {
		for _, entry := range t.Traffic {
			r.mesh(t.Name, entry)
		}
	}
}

func (r *rehearser) mesh(target string, t sluice.Traffic) {
	mesh := ""
	switch {
	case len(t.SMI) > 0:
		mesh = "SMI"
	case len(t.Istio) > 0:
		mesh = "Istio"
	case len(t.Gateway) > 0:
		mesh = "a gateway"
	}
	for _, s := range r.plan.Steps {
		if mesh != "" && s.Target == target && s.SetWeight != nil {
			r.instead("traffic by "+mesh, "divided by the local account's Services", s.ID)
		}
	}
}
