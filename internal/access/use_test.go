package access_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

func TestUses(t *testing.T) {
	deploy := []access.Verb{access.Deploy}
	c := access.Caller{Grants: []access.Grant{
		{Verbs: deploy, Applications: []string{"shop"}, Targets: []string{"staging"},
			Secrets: []string{"shop-*"}, Metrics: []string{}},
		{Verbs: deploy, Applications: []string{"blog"}},
		{Verbs: []access.Verb{access.View}},
	}}
	for _, test := range []struct {
		application, target string
		uses                access.Uses
		want                bool
	}{
		{"shop", "staging", access.Uses{}, true},
		{"shop", "staging", access.Uses{Secrets: []string{"shop-token"}}, true},
		{"shop", "staging", access.Uses{Secrets: []string{"shop-token", "billing"}}, false},
		{"shop", "staging", access.Uses{Metrics: []string{"main"}}, false},
		{"shop", "production", access.Uses{Secrets: []string{"shop-token"}}, false},
		{"blog", "production", access.Uses{Secrets: []string{"billing"}, Metrics: []string{"main"}}, true},
	} {
		err := c.NeedUses(test.application, test.target, test.uses)
		if denied := sluice.ErrorCode(err) == sluice.Denied; denied == test.want {
			t.Errorf("%+v: %v", test, err)
		}
		if err != nil && (sluice.ErrorHint(err) == "" || !strings.Contains(err.Error(), test.target)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
