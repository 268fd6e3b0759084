package access

import (
	"path"
	"slices"

	"github.com/sluice-cd/sluice"
)

// A Verb is something that a role may allow.
type Verb string

// The verbs. Each is asked for an application and, but for View and Administer, for a target.
const (
	View        Verb = "view"        // see deployments, plans, history and checkpoints
	Deploy      Verb = "deploy"      // validate, plan and start; retry; callbacks of one's own programs
	Approve     Verb = "approve"     // approve and reject; end waits early, promote
	Cancel      Verb = "cancel"      // cancel; pause and continue
	RollBack    Verb = "rollBack"    // roll back the application, and go on with an undo
	ReadReports Verb = "readReports" // read what a verification found in the data, and what pods write
	RestoreData Verb = "restoreData" // put a checkpoint back; prove, delete and keep it; branches of it
	Administer  Verb = "administer"  // tokens, audit and the state of accounts; delete what has expired
)

// Verbs lists all, in the order of documents.
var Verbs = []Verb{View, Deploy, Approve, Cancel, RollBack, ReadReports, RestoreData, Administer}

// A Grant allows verbs on what its patterns match. A pattern is that of [path.Match]; no pattern matches everything.
type Grant struct {
	Verbs        []Verb
	Applications []string
	Targets      []string
	Places       []string // ACCOUNT/NAMESPACE; only Deploy asks for it, because only a deploy file names places
	Secrets      []string // of sluice.yaml; only Deploy asks for it; nil matches everything, an empty list nothing
	Metrics      []string // metric providers, as Secrets
}

// A Caller is who calls a server, proven, and what the caller's roles allow.
type Caller struct {
	Actor  sluice.Actor
	Grants []Grant // of all its roles
}

// May reports whether the caller may do the verb with the target of the application. Without a target it reports
// whether the verb is allowed for any target of it, without an application also for any application.
func (c Caller) May(verb Verb, application, target string) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return slices.Contains(g.Verbs, verb) && fits(g.Applications, application) && fits(g.Targets, target)
	})
}

// fits reports whether the name, or "", is meant by one of the patterns, or there are none.
func fits(patterns []string, name string) bool {
	if len(patterns) == 0 || name == "" {
		return true
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// MayEverywhere reports whether the caller may do the verb with every target of every application. Verbs that are about
// the whole server, such as Administer, are asked for so.
func (c Caller) MayEverywhere(verb Verb) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return slices.Contains(g.Verbs, verb) && everything(g.Applications) && everything(g.Targets)
	})
}

func everything(patterns []string) bool { return len(patterns) == 0 || slices.Contains(patterns, "*") }

// Need returns a Denied error if the caller may not do the verb: see [Caller.May].
func (c Caller) Need(verb Verb, application, target string) error {
	if c.May(verb, application, target) {
		return nil
	}
	where := ""
	if application != "" {
		where = " for the application " + application
	}
	if target != "" {
		where += ", target " + target
	}
	return sluice.Errorf(sluice.Denied, "%s may not %s%s", c.Actor.Name, verb, where).
		WithHint("ask who runs this server for a role that grants %s", verb)
}
