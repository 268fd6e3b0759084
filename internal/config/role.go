package config

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// sharedIssuers issue tokens to everybody, so one of these claims has to say whose token it is.
var sharedIssuers = map[string][]string{
	"https://token.actions.githubusercontent.com": {
		"sub", "repository", "repository_id", "repository_owner", "repository_owner_id", "enterprise", "enterprise_id",
		"job_workflow_ref",
	},
	"https://gitlab.com": {
		"sub", "project_path", "project_id", "namespace_path", "namespace_id", "ci_config_ref_uri",
	},
}

func (r *reader) roles(n *yaml.Node, s *Server) (list []access.Role) {
	r.each(n, func(name string, n *yaml.Node) { list = append(list, r.role(name, n, s)) })
	slices.SortFunc(list, func(a, b access.Role) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (r *reader) role(name string, n *yaml.Node, s *Server) access.Role {
	role := access.Role{Name: name}
	found := r.mapping(n, fields{
		"members": func(n *yaml.Node) {
			r.items(n, func(n *yaml.Node) { role.Members = append(role.Members, r.member(n, s)) })
		},
		"grants": func(n *yaml.Node) {
			r.items(n, func(n *yaml.Node) { role.Grants = append(role.Grants, r.grant(n)) })
		},
	})
	if found && len(role.Grants) == 0 {
		r.fault(n, codeMissingKey, "add them, like grants: [{verbs: [view]}]", "this role has no grants")
	}
	return role
}

func (r *reader) member(n *yaml.Node, s *Server) (m access.Member) {
	found := r.mapping(n, fields{
		"user":     func(n *yaml.Node) { m.User = r.pattern(n) },
		"group":    func(n *yaml.Node) { m.Group = r.pattern(n) },
		"workload": func(n *yaml.Node) { m.Workload = r.text(n) },
		"claims": func(n *yaml.Node) {
			m.Claims = map[string]string{}
			r.each(n, func(name string, n *yaml.Node) { m.Claims[name] = r.pattern(n) })
		},
	})
	kinds := 0
	for _, key := range []string{"user", "group", "workload"} {
		if r.has(n, key) {
			kinds++
		}
	}
	switch {
	case !found:
	case kinds != 1:
		r.fault(n, codeBadCombination, "write {user: NAME}, {group: NAME} or {workload: NAME, claims: {...}}",
			"a member needs exactly one of user, group and workload")
	case r.has(n, "workload"):
		r.checkWorkloadMember(n, m, s)
	case r.has(n, "claims"):
		r.fault(n, codeBadCombination, "remove claims, or name a workload", "only a workload has claims")
	case s.Identity == nil:
		r.fault(n, codeBadCombination, "add identity to server", "without identity there are no users and groups")
	}
	return m
}

// checkWorkloadMember refuses members that let in more programs than anybody means.
func (r *reader) checkWorkloadMember(n *yaml.Node, m access.Member, s *Server) {
	i := slices.IndexFunc(s.Workloads, func(w Workload) bool { return w.Name == m.Workload })
	if i < 0 {
		var known []string
		for _, w := range s.Workloads {
			known = append(known, w.Name)
		}
		hint := cmp.Or(yamldoc.Nearest(m.Workload, known), strings.Join(known, ", "))
		if hint = "write " + hint; len(known) == 0 {
			hint = "add workloads to server"
		}
		r.fault(n, codeBadValue, hint, "there is no workload %s", yamldoc.Quote(m.Workload))
		return
	}
	narrow := slices.DeleteFunc(slices.Sorted(maps.Keys(m.Claims)), func(name string) bool {
		return strings.Trim(m.Claims[name], "*/?:") == ""
	})
	owners := sharedIssuers[s.Workloads[i].Issuer]
	isOwner := func(name string) bool { return slices.Contains(owners, name) && namesOwner(name, m.Claims[name]) }
	switch {
	case len(narrow) == 0:
		r.fault(n, codeMissingKey, "add claims, like claims: {repository: acme/shop}",
			"this member is every program of its issuer")
	case owners != nil && !slices.ContainsFunc(narrow, isOwner):
		r.fault(n, codeMissingKey, "add claims, like "+owners[1]+": acme/shop",
			"%s issues tokens to everybody, and no claim of this member says whose", s.Workloads[i].Issuer)
	}
}

// namesOwner reports whether what stands before the first wildcard says whose a token is. The claim sub begins with the
// name of a kind, as in repo:acme/shop.
func namesOwner(claim, pattern string) bool {
	i := strings.IndexAny(pattern, "*?[")
	return i < 0 || i > 0 && (claim != "sub" || strings.Contains(pattern[:i], "/"))
}

func (r *reader) grant(n *yaml.Node) (g access.Grant) {
	found := r.mapping(n, fields{
		"verbs":        func(n *yaml.Node) { r.items(n, func(n *yaml.Node) { g.Verbs = append(g.Verbs, r.verb(n)) }) },
		"applications": func(n *yaml.Node) { g.Applications = r.patterns(n, "applications") },
		"targets":      func(n *yaml.Node) { g.Targets = r.patterns(n, "targets") },
		"places":       func(n *yaml.Node) { g.Places = r.places(n) },
		"secrets":      func(n *yaml.Node) { g.Secrets = r.used(n) },
		"metrics":      func(n *yaml.Node) { g.Metrics = r.used(n) },
	})
	if found && len(g.Verbs) == 0 {
		r.fault(n, codeMissingKey, "add them, like verbs: [view]", "this grant has no verbs")
	}
	if slices.Contains(g.Verbs, access.Administer) && (r.has(n, "applications") || r.has(n, "targets") ||
		r.has(n, "places") || r.has(n, "secrets") || r.has(n, "metrics")) {
		r.fault(n, codeBadCombination, "grant administer by itself, with no key but verbs",
			"administer is about the whole server")
	}
	for _, key := range []string{"places", "secrets", "metrics"} {
		if r.has(n, key) && !slices.Contains(g.Verbs, access.Deploy) {
			r.fault(n, codeBadCombination, "remove "+key+", or add deploy to verbs", "only deploy asks for %s", key)
		}
	}
	return g
}

// places returns a list of patterns of accounts and namespaces. One without a slash would match nothing.
func (r *reader) places(n *yaml.Node) []string {
	list := r.patterns(n, "places")
	for _, p := range list {
		if p != "" && strings.Count(p, "/") != 1 {
			r.fault(n, codeBadValue, "write ACCOUNT/NAMESPACE, like cluster01/staging or cluster01/*",
				"%s is no place", yamldoc.Quote(p))
		}
	}
	return list
}

// used returns a list of patterns that is not nil, because an empty one means nothing.
func (r *reader) used(n *yaml.Node) []string {
	list := []string{}
	r.items(n, func(n *yaml.Node) { list = append(list, r.pattern(n)) })
	return list
}

func (r *reader) verb(n *yaml.Node) access.Verb {
	s := r.text(n)
	if s == "" || slices.Contains(access.Verbs, access.Verb(s)) {
		return access.Verb(s)
	}
	known := make([]string, len(access.Verbs))
	for i, v := range access.Verbs {
		known[i] = string(v)
	}
	hint := "known verbs: " + strings.Join(known, ", ")
	if near := yamldoc.Nearest(s, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	r.fault(n, codeBadValue, hint, "there is no verb %s", yamldoc.Quote(s))
	return access.Verb(s)
}

// patterns returns a list of patterns. An empty list would mean everything, which nobody expects of it.
func (r *reader) patterns(n *yaml.Node, what string) (list []string) {
	found := r.items(n, func(n *yaml.Node) { list = append(list, r.pattern(n)) })
	if found && len(list) == 0 {
		r.fault(n, codeMissingKey, "remove "+what+" to mean all of them", "this list of %s is empty", what)
	}
	return list
}

func (r *reader) pattern(n *yaml.Node) string {
	s := r.text(n)
	if _, err := path.Match(s, ""); err != nil {
		r.fault(n, codeBadValue, `close the [, or write \[ for the character itself`,
			"%s is not a pattern", yamldoc.Quote(s))
	}
	if s == "" && n.Kind == yaml.ScalarNode && !yamldoc.IsNull(n) {
		r.fault(n, codeBadValue, "write a name, or * for every name", "a pattern is empty")
	}
	return s
}

// items reads every item of a list. It returns false if n is not a list.
func (r *reader) items(n *yaml.Node, read func(*yaml.Node)) bool {
	if n.Kind != yaml.SequenceNode {
		r.fault(n, codeWrongType, "write it like [first, second]", "expected a list, found %s", describe(n))
		return false
	}
	for _, item := range n.Content {
		read(item)
	}
	return true
}

// faultAt is fault for what was read before.
func (r *reader) faultAt(pos sluice.Position, code, hint, format string, args ...any) {
	r.fault(&yaml.Node{Line: pos.Line, Column: pos.Column}, code, hint, format, args...)
}
