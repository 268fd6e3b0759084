package access

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"

	"github.com/sluice-cd/sluice"
)

// A Role has grants for its members. A token may act in a role without being a member.
type Role struct {
	Name    string
	Members []Member
	Grants  []Grant
}

// A Member describes callers by patterns of [path.Match]. Exactly one of User, Group and Workload is set.
type Member struct {
	User     string            // the name of a person
	Group    string            // a group of a person
	Workload string            // the name under workloads in sluice.yaml, not a pattern
	Claims   map[string]string // with Workload: what its claims have to match, all of them
}

// A Subject is whom an issuer proved a caller to be.
type Subject struct {
	Issuer string
	ID     string // the issuer's own name for it, the claim sub
	// User is the name of a person, as roles name it: of the claim that sluice.yaml says, "" if the issuer did not
	// prove it.
	User     string
	Groups   []string       // of a person
	Workload string         // the name under workloads in sluice.yaml; "": a person
	Claims   map[string]any // of a workload; numbers are of type [json.Number]
}

// Identity is what the issuer proved, as [sluice.Actor] keeps it.
func (s Subject) Identity() string { return s.Issuer + "#" + s.ID }

// Name is how people call the subject.
func (s Subject) Name() string {
	switch {
	case s.Workload != "":
		return s.Workload + " " + s.ID
	case s.User != "":
		return s.User
	}
	return s.ID
}

// A Policy says what the members of roles may do.
type Policy struct{ Roles []Role }

// Caller returns the subject with the roles that it is a member of. It may have none.
func (p Policy) Caller(s Subject) Caller {
	c := Caller{Actor: sluice.Actor{Name: s.Name(), Identity: s.Identity()}}
	for _, role := range p.Roles {
		if slices.ContainsFunc(role.Members, func(m Member) bool { return m.means(s) }) {
			c.add(role)
		}
	}
	return c
}

// InRoles returns a caller that acts in the roles with these names. A role that does not exist any more grants nothing.
func (p Policy) InRoles(actor sluice.Actor, names []string) Caller {
	c := Caller{Actor: actor}
	c.Actor.Roles = nil
	for _, role := range p.Roles {
		if slices.Contains(names, role.Name) {
			c.add(role)
		}
	}
	return c
}

func (c *Caller) add(r Role) {
	c.Actor.Roles = append(c.Actor.Roles, r.Name)
	c.Grants = append(c.Grants, r.Grants...)
}

// Everything is a caller that may do everything.
func Everything(actor sluice.Actor) Caller {
	return Caller{Actor: actor, Grants: []Grant{{Verbs: Verbs}}}
}

// Known returns those of the groups that some role names. Others change nothing.
func (p Policy) Known(groups []string) (known []string) {
	for _, group := range groups {
		if slices.ContainsFunc(p.Roles, func(r Role) bool {
			return slices.ContainsFunc(r.Members, func(m Member) bool { return matches(m.Group, group) })
		}) {
			known = append(known, group)
		}
	}
	return known
}

// means reports whether the subject is one that m describes.
func (m Member) means(s Subject) bool {
	switch {
	case m.Workload != "":
		return m.Workload == s.Workload && m.claimsOf(s)
	case s.Workload != "":
		return false
	case m.Group != "":
		return slices.ContainsFunc(s.Groups, func(g string) bool { return matches(m.Group, g) })
	}
	return matches(m.User, s.User)
}

// claimsOf reports whether all claims that m lists are there and match. Without one nobody is meant: any program of the
// issuer would be.
func (m Member) claimsOf(s Subject) bool {
	for name, pattern := range m.Claims {
		if !matches(pattern, claim(s.Claims[name])) {
			return false
		}
	}
	return len(m.Claims) > 0
}

// claim returns the text of a claim with one value, "" for others.
func claim(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number: // a float would not show a large number as it was written
		return v.String()
	}
	return ""
}

// matches reports whether the pattern means the name. An absent one matches nothing.
func matches(pattern, name string) bool {
	if pattern == "" || name == "" {
		return false
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
