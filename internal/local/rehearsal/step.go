package rehearsal

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

// metricPrefix begins the names of the providers that answer for the rehearsal; the query's name follows.
const metricPrefix = "rehearsal "

const engineFiles = "files"

// step changes one step. It copies what the step points to before it changes it.
func (r *rehearser) step(s *sluice.PlannedStep) error {
	switch {
	case s.Apply != nil:
		s.Apply = changed(s.Apply)
		return r.apply(s)
	case s.RunJob != nil:
		s.RunJob = changed(s.RunJob)
		job, err := r.object(s, s.RunJob.Job, []sluice.Object{s.RunJob.Job})
		s.RunJob.Job = job
		return err
	case s.RunWebhook != nil:
		r.webhook(s)
	case s.Analysis != nil:
		s.Analysis = changed(s.Analysis)
		r.approve(s)
		return r.analysis(s)
	case s.Pause != nil:
		s.Pause = changed(s.Pause)
		s.Pause.Duration = r.shorter(s, s.Pause.Duration)
		if s.Pause.UntilApproved {
			r.approve(s)
		}
	case s.ExposeServices != nil:
		for _, service := range s.ExposeServices.Services {
			r.service(s, service)
		}
	case s.WaitFor != nil:
		r.waitFor(s)
	}
	r.data(s)
	return nil
}

func changed[T any](v *T) *T {
	c := *v
	return &c
}

// shorter returns the time that the step waits here, and notes if that is less than declared.
func (r *rehearser) shorter(s *sluice.PlannedStep, d time.Duration) time.Duration {
	if r.options.MaxWait == 0 || d <= r.options.MaxWait {
		return d
	}
	r.instead("timed waits", fmt.Sprintf("at most %s each", r.options.MaxWait), s.ID)
	return r.options.MaxWait
}

// approve notes that the rehearsal decides whenever the step asks a person.
func (r *rehearser) approve(s *sluice.PlannedStep) {
	if r.options.Approve {
		r.instead("approvals", "given by the rehearsal", s.ID)
	}
}

// apply changes every object of the target.
func (r *rehearser) apply(s *sluice.PlannedStep) error {
	all := s.Apply.Objects
	s.Apply.Objects = make([]sluice.Object, len(all))
	for i, o := range all {
		changed, err := r.object(s, o, all)
		if err != nil {
			return err
		}
		s.Apply.Objects[i] = changed
	}
	r.claims(s)
	return nil
}

// claims notes the claims that pods use and no manifest contains.
func (r *rehearser) claims(s *sluice.PlannedStep) {
	for _, o := range s.Apply.Objects {
		for _, claim := range claimsOf(o) {
			brought := slices.ContainsFunc(s.Apply.Objects, func(c sluice.Object) bool {
				return c.Text("kind") == "PersistentVolumeClaim" && c.Text("metadata", "name") == claim
			})
			if !brought {
				r.instead("PersistentVolumeClaim/"+claim, "not in the manifests: an empty one, unless it is there", s.ID)
			}
		}
	}
}

// webhook notes what happens to the call and to its secrets.
func (r *rehearser) webhook(s *sluice.PlannedStep) {
	hook := s.RunWebhook.Webhook
	if hook == nil {
		return
	}
	how := "shown, not sent; it succeeds"
	switch r.options.Webhooks[hook.Name] {
	case sluice.RehearseFail:
		r.out.Webhooks[hook.Name], how = sluice.RehearseFail, "shown, not sent; it fails, as asked"
	case sluice.RehearseTimeout:
		r.out.Webhooks[hook.Name], how = sluice.RehearseTimeout, "shown, not sent; it never answers, as asked"
	}
	r.instead("webhook "+strconv.Quote(hook.Name), how, s.ID)
	templates := []string{hook.URITemplate, hook.Body}
	for _, h := range hook.Headers {
		templates = append(templates, h.Value)
	}
	if !hook.DisableCallback && !strings.Contains(strings.Join(templates, " "), "armory.callbackUri") {
		r.instead("the callback of "+strconv.Quote(hook.Name), "assumed: the call does not hold {{armory.callbackUri}}, so "+
			"nobody could call back and it would wait until its timeout", s.ID)
	}
	r.templates(s, templates...)
}

// templates notes the secrets that do not exist and the Services that are only on the cluster.
func (r *rehearser) templates(s *sluice.PlannedStep, templates ...string) {
	for _, text := range templates {
		t := template.Parse(text)
		for _, name := range t.Names("secrets.") {
			switch unreadable, exists := r.options.Secrets[name]; {
			case !exists:
				r.instead("secret "+name, "a placeholder: it is not in sluice.yaml", s.ID)
			case unreadable != "":
				r.instead("secret "+name, "a placeholder: "+unreadable, s.ID)
			default:
				r.real("secret "+name+" is read, and never shown", s.ID)
			}
		}
		for _, name := range t.Names("armory.preview.") {
			r.service(s, name)
		}
	}
}

// service notes a Service that the step needs and the target's manifests do not contain.
func (r *rehearser) service(s *sluice.PlannedStep, name string) {
	t, _ := r.plan.Target(s.Target)
	for _, o := range r.objectsOf(s.Target) {
		if o.Text("kind") == "Service" && o.Text("metadata", "name") == name {
			return
		}
	}
	ref := sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: t.Namespace, Name: name}
	if !slices.Contains(r.out.Services[t.Account], ref) {
		r.out.Services[t.Account] = append(r.out.Services[t.Account], ref)
	}
	r.instead("Service/"+name, "not in the manifests of "+t.Name+": counts as existing", s.ID)
}

func (r *rehearser) objectsOf(target string) []sluice.Object {
	for _, s := range r.plan.Steps {
		if s.Target == target && s.Apply != nil {
			return s.Apply.Objects
		}
	}
	return nil
}

// analysis answers the queries that no provider answers.
func (r *rehearser) analysis(s *sluice.PlannedStep) error {
	s.Analysis.Interval = r.shorter(s, s.Analysis.Interval)
	s.Analysis.Resolved = slices.Clone(s.Analysis.Resolved)
	for i := range s.Analysis.Resolved {
		q := &s.Analysis.Resolved[i]
		r.templates(s, q.Template)
		provider := cmp.Or(q.Provider, s.Analysis.Provider)
		given, said := r.options.Metrics[q.Name]
		if !said && r.options.Providers[provider] {
			r.real("query "+strconv.Quote(q.Name)+" is answered by "+provider, s.ID)
			continue
		}
		value, err := r.answer(*q, given, said)
		if err != nil {
			return err
		}
		r.out.Metrics[q.Name] = value
		q.Provider = metricPrefix + q.Name
		r.instead("query "+strconv.Quote(q.Name), describeAnswer(value, said), s.ID)
	}
	return nil
}

// answer returns the given value, or one within the query's limits.
func (r *rehearser) answer(q sluice.Query, given string, said bool) (*float64, error) {
	if said && given == "none" {
		return nil, nil
	}
	if said {
		value, err := strconv.ParseFloat(given, 64)
		if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
			return nil, sluice.Errorf(sluice.Invalid, "--metric gives the query %q the value %q, which is not a number", q.Name,
				given).
				WithHint("write a number, or none where the provider has no data")
		}
		return &value, nil
	}
	value := 0.0
	if q.Lower != nil {
		value = max(value, *q.Lower)
	}
	if q.Upper != nil {
		value = min(value, *q.Upper)
	}
	return &value, nil
}

func describeAnswer(value *float64, said bool) string {
	switch {
	case value == nil:
		return "no data, as given"
	case said:
		return strconv.FormatFloat(*value, 'g', -1, 64) + ", as given"
	}
	return strconv.FormatFloat(*value, 'g', -1, 64) + " was assumed, a value within its limits"
}
