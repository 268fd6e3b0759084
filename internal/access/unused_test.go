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
	}
	want := []access.UnusedPattern{{Role: "deployer", Pattern: "shop-*"}, {Role: "deployer", Pattern: "shpo"}}
	if diff := cmp.Diff(want, access.Unused(roles, []string{"shop", "billing"})); diff != "" {
		t.Error(diff)
	}
}
