package access_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

func TestPlaces(t *testing.T) {
	deploy := []access.Verb{access.Deploy}
	c := access.Caller{Grants: []access.Grant{
		{Verbs: deploy, Applications: []string{"shop"}, Targets: []string{"staging"},
			Places: []string{"east/shop-*", "lab/*"}},
		{Verbs: deploy, Applications: []string{"blog"}},
		{Verbs: []access.Verb{access.View}, Places: []string{"*/*"}},
	}}
	for _, test := range []struct {
		application, target, account, namespace string
		want                                    bool
	}{
		{"shop", "staging", "east", "shop-1", true},
		{"shop", "staging", "east", "billing", false},
		{"shop", "staging", "east", "", false},
		{"shop", "staging", "west", "shop-1", false},
		{"shop", "production", "east", "shop-1", false},
		{"shop", "staging", "lab", "any", true},
		{"shop", "staging", "lab", "", true},
		{"blog", "production", "west", "blog", true},
		{"blog", "production", "west", "", true},
	} {
		place := access.Place(test.account, test.namespace)
		if got := c.MayDeployTo(test.application, test.target, place); got != test.want {
			t.Errorf("%+v: %t", test, got)
		}
		err := c.NeedPlaces(test.application, test.target, []string{place})
		if denied := sluice.ErrorCode(err) == sluice.Denied; denied == test.want || denied && sluice.ErrorHint(err) == "" {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
