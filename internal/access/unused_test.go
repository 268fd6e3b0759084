package access_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/access"
)

func TestUnused(t *testing.T) {
	roles := []access.Role{
		{Name: "deployer", Grants: []access.Grant{
			{Applications: []string{"shop", "shop-*"}}, {Applications: []string{"shpo", "shpo"}},
		}},
		{Name: "metrics", Grants: []access.Grant{{Applications: []string{access.Nothing}}}},
		{Name: "operator", Grants: []access.Grant{{}, {Applications: []string{"*"}}}},
		{Name: "shop", Grants: []access.Grant{{Secrets: []string{"shop-*", "shop_*"}, Metrics: []string{"prometeus"}}}},
	}
	known := access.Known{Applications: []string{"shop", "billing"}, Secrets: []string{"shop_token"}}
	later := []access.UnusedPattern{
		{Role: "shop", Kind: "secret", Pattern: "shop-*"},
		{Role: "shop", Kind: "metric provider", Pattern: "prometeus"},
	}
	want := append([]access.UnusedPattern{
		{Role: "deployer", Kind: "application", Pattern: "shop-*"},
		{Role: "deployer", Kind: "application", Pattern: "shpo"},
	}, later...)
	if diff := cmp.Diff(want, access.Unused(roles, known)); diff != "" {
		t.Error(diff)
	}
	known.Applications = nil // nothing was deployed yet
	if diff := cmp.Diff(later, access.Unused(roles, known)); diff != "" {
		t.Error(diff)
	}
}
