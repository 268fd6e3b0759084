package access_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// roleOf returns the policy with one role, which allows to view.
func roleOf(m access.Member) access.Policy {
	return access.Policy{Roles: []access.Role{{
		Name: "viewer", Members: []access.Member{m}, Grants: []access.Grant{{Verbs: []access.Verb{access.View}}},
	}}}
}

func TestMembers(t *testing.T) {
	ci := func(claims map[string]any) access.Subject {
		return access.Subject{Issuer: "https://ci", ID: "job", Workload: "github", Claims: claims}
	}
	ana := access.Subject{Issuer: "https://id", ID: "7", User: "ana@example.com", Groups: []string{"dev", "acme/shop"}}
	mainOnly := map[string]string{"repository": "acme/shop", "ref": "refs/heads/main"}
	for name, test := range map[string]struct {
		member  access.Member
		subject access.Subject
		want    bool
	}{
		"a user":                     {access.Member{User: "ana@example.com"}, ana, true},
		"another user":               {access.Member{User: "bob@example.com"}, ana, false},
		"users of a domain":          {access.Member{User: "*@example.com"}, ana, true},
		"a longer domain":            {access.Member{User: "*@example.co"}, ana, false},
		"a domain below":             {access.Member{User: "*@le.com"}, ana, false},
		"everybody":                  {access.Member{User: "*"}, ana, true},
		"a person without a name":    {access.Member{User: "*"}, access.Subject{Issuer: "https://id", ID: "7"}, false},
		"the id is not the name":     {access.Member{User: "7"}, ana, false},
		"a group":                    {access.Member{Group: "dev"}, ana, true},
		"a part of a group":          {access.Member{Group: "de"}, ana, false},
		"a longer group":             {access.Member{Group: "devs"}, ana, false},
		"groups below":               {access.Member{Group: "acme/*"}, ana, true},
		"groups without their slash": {access.Member{Group: "acme*"}, ana, false},
		"the user as a group":        {access.Member{Group: "ana@example.com"}, ana, false},
		"a group as the user":        {access.Member{User: "dev"}, ana, false},
		"a broken pattern":           {access.Member{User: "[ana@example.com"}, ana, false},
		"nothing":                    {access.Member{}, ana, false},
		"nothing and nobody":         {access.Member{}, access.Subject{}, false},

		"a workload": {access.Member{Workload: "github", Claims: mainOnly},
			ci(map[string]any{"repository": "acme/shop", "ref": "refs/heads/main", "more": 1}), true},
		"a workload with one claim of two": {access.Member{Workload: "github", Claims: mainOnly},
			ci(map[string]any{"repository": "acme/shop"}), false},
		"a workload with another ref": {access.Member{Workload: "github", Claims: mainOnly},
			ci(map[string]any{"repository": "acme/shop", "ref": "refs/heads/main2"}), false},
		"a repository that begins the same": {access.Member{Workload: "github", Claims: mainOnly},
			ci(map[string]any{"repository": "acme/shop2", "ref": "refs/heads/main"}), false},
		"a pattern stays within its segment": {
			access.Member{Workload: "github", Claims: map[string]string{"repository": "acme/*"}},
			ci(map[string]any{"repository": "acme/shop/evil"}), false},
		"an empty claim is missing": {access.Member{Workload: "github", Claims: map[string]string{"environment": "*"}},
			ci(map[string]any{"environment": ""}), false},
		"a missing claim matches nothing": {
			access.Member{Workload: "github", Claims: map[string]string{"environment": "*"}}, ci(nil), false},
		"a list is no claim": {access.Member{Workload: "github", Claims: map[string]string{"repository": "*"}},
			ci(map[string]any{"repository": []any{"acme/shop"}}), false},
		"a flag and a number": {
			access.Member{Workload: "github", Claims: map[string]string{"protected": "true", "id": "12", "run": "345678901"}},
			ci(map[string]any{"protected": true, "id": json.Number("12"), "run": json.Number("345678901")}), true},
		"a workload without claims": {access.Member{Workload: "github"}, ci(map[string]any{"sub": "x"}), false},
		"another workload": {access.Member{Workload: "gitlab", Claims: map[string]string{"a": "b"}},
			ci(map[string]any{"a": "b"}), false},
		"a person with the claims of a workload": {access.Member{Workload: "github", Claims: map[string]string{"a": "b"}},
			access.Subject{User: "ana", Claims: map[string]any{"a": "b"}}, false},
		"a workload is no user": {access.Member{User: "*"},
			access.Subject{User: "ana", Workload: "github", Groups: []string{"dev"}}, false},
		"a workload has no groups": {access.Member{Group: "*"},
			access.Subject{Workload: "github", Groups: []string{"dev"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := roleOf(test.member).Caller(test.subject)
			if got := c.May(access.View, "shop", "staging"); got != test.want {
				t.Errorf("may view: %v, want %v", got, test.want)
			}
			if got := slices.Contains(c.Actor.Roles, "viewer"); got != test.want {
				t.Errorf("has the role: %v, want %v", got, test.want)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	grant := func(verb access.Verb, applications, targets []string) access.Caller {
		return access.Caller{Grants: []access.Grant{{Verbs: []access.Verb{verb}, Applications: applications,
			Targets: targets}}}
	}
	type asked struct {
		verb                access.Verb
		application, target string
	}
	for name, test := range map[string]struct {
		caller   access.Caller
		yes, not []asked
	}{
		"one application": {
			grant(access.Deploy, []string{"shop"}, nil),
			[]asked{{access.Deploy, "shop", "staging"}, {access.Deploy, "shop", ""}, {access.Deploy, "", ""}},
			[]asked{{access.Deploy, "shop2", "staging"}, {access.Deploy, "sho", ""}, {access.Deploy, "myshop", ""},
				{access.Approve, "shop", "staging"}, {access.View, "shop", ""}},
		},
		"a pattern": {
			grant(access.View, []string{"shop-*"}, []string{"staging*"}),
			[]asked{{access.View, "shop-eu", "staging"}, {access.View, "shop-us", "staging2"}},
			[]asked{{access.View, "shop", "staging"}, {access.View, "shop-a/b", "staging"}, {access.View, "shop-eu", "prod"}},
		},
		"a broken pattern": {grant(access.View, []string{"[shop"}, nil), nil, []asked{{access.View, "[shop", "x"}}},
		"nothing":          {access.Caller{}, nil, []asked{{access.View, "", ""}, {access.View, "shop", "staging"}}},
		"two grants do not mix": {
			access.Caller{Grants: []access.Grant{
				{Verbs: []access.Verb{access.Deploy}, Applications: []string{"shop"}, Targets: []string{"staging"}},
				{Verbs: []access.Verb{access.View}, Applications: []string{"blog"}},
			}},
			[]asked{{access.Deploy, "shop", "staging"}, {access.View, "blog", "production"}},
			[]asked{{access.Deploy, "blog", "staging"}, {access.View, "shop", "staging"}, {access.Deploy, "shop", "production"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, q := range test.yes {
				if err := test.caller.Need(q.verb, q.application, q.target); err != nil {
					t.Errorf("%+v: %v", q, err)
				}
			}
			for _, q := range test.not {
				if err := test.caller.Need(q.verb, q.application, q.target); sluice.ErrorCode(err) != sluice.Denied {
					t.Errorf("%+v: %v, want denied", q, err)
				}
			}
		})
	}
}

func TestRolesAddUp(t *testing.T) {
	p := access.Policy{Roles: []access.Role{
		{Name: "a", Members: []access.Member{{User: "ana"}}, Grants: []access.Grant{{Verbs: []access.Verb{access.View}}}},
		{Name: "b", Members: []access.Member{{User: "bob"}}, Grants: []access.Grant{{Verbs: []access.Verb{access.Cancel}}}},
		{Name: "c", Members: []access.Member{{Group: "g"}}, Grants: []access.Grant{{Verbs: []access.Verb{access.Deploy}}}},
	}}
	c := p.Caller(access.Subject{Issuer: "https://id", ID: "7", User: "ana", Groups: []string{"g"}})
	want := sluice.Actor{Name: "ana", Identity: "https://id#7", Roles: []string{"a", "c"}}
	if diff := cmp.Diff(want, c.Actor); diff != "" {
		t.Error(diff)
	}
	for verb, want := range map[access.Verb]bool{access.View: true, access.Deploy: true, access.Cancel: false} {
		if c.May(verb, "shop", "") != want || c.MayEverywhere(verb) != want {
			t.Errorf("%s: want %v", verb, want)
		}
	}
	c = p.InRoles(sluice.Actor{Name: "nightly", Roles: []string{"forged"}}, []string{"b", "gone", "forged"})
	if diff := cmp.Diff([]string{"b"}, c.Actor.Roles); diff != "" || !c.May(access.Cancel, "x", "y") {
		t.Errorf("a token with a role that is gone: %+v", c)
	}
}

func TestNames(t *testing.T) {
	for want, s := range map[string]access.Subject{
		"ana@example.com":  {ID: "7", User: "ana@example.com"},
		"7":                {ID: "7"},
		"github repo:acme": {ID: "repo:acme", Workload: "github", User: "root"},
	} {
		if got := s.Name(); got != want {
			t.Errorf("%+v is %q, want %q", s, got, want)
		}
	}
}

func TestKnownGroups(t *testing.T) {
	got := roleOf(access.Member{Group: "acme/*"}).Known([]string{"acme/shop", "acme", "", "other/acme/shop"})
	if strings.Join(got, " ") != "acme/shop" {
		t.Errorf("known are %q", got)
	}
}

func TestEverything(t *testing.T) {
	c := access.Everything(sluice.Actor{Name: "root"})
	for _, verb := range access.Verbs {
		if !c.MayEverywhere(verb) || !c.May(verb, "shop", "staging") {
			t.Errorf("may not %s", verb)
		}
	}
	narrow := access.Caller{Grants: []access.Grant{{Verbs: access.Verbs, Targets: []string{"staging"}}}}
	if narrow.MayEverywhere(access.Administer) {
		t.Error("a grant for one target counts for all")
	}
}
