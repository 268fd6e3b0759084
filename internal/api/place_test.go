package api_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// A deploy file may give any account and namespace to the name of a target, so the name alone protects no place.
func TestOnlyGrantedPlacesAreDeployedTo(t *testing.T) {
	people["guest"] = access.Caller{
		Actor: sluice.Actor{Name: "guest", Identity: "test#guest"},
		Grants: []access.Grant{
			{Verbs: []access.Verb{access.View, access.Deploy}, Applications: []string{"shop"}, Targets: []string{"staging"},
				Places: []string{"cluster01/shop*"}},
			{Verbs: []access.Verb{access.Deploy}, Applications: []string{"other"}},
		},
	}
	t.Cleanup(func() { delete(people, "guest") })
	changed := func(old, text string) service.Bundle {
		b := bundle("shop")
		for name, data := range b.Files {
			b.Files[name] = []byte(strings.Replace(string(data), old, text, 1))
		}
		return b
	}
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n"
	eachStore(t, func(t *testing.T, w *world) {
		guest := w.as(t, "guest")
		for name, b := range map[string]service.Bundle{
			"another account":            changed("account: cluster01", "account: production"),
			"another namespace":          changed("namespace: shop", "namespace: billing"),
			"an object elsewhere":        changed("    namespace: shop\n", ""),
			"an object without a place":  changed("apiVersion: v1", role+"---\napiVersion: v1"),
			"another target":             changed("  staging:\n", "  production:\n"),
			"another application's file": changed("application: shop", "application: billing"),
		} {
			_, err := guest.Deploy(t.Context(), b)
			wants(t, name, err, sluice.Denied)
			_, err = guest.Plan(t.Context(), b, true)
			wants(t, "plan "+name, err, sluice.Denied)
		}
		refused, err := w.store.Entries(t.Context(), "shop", 0, 100)
		if err != nil || len(refused) != 10 {
			t.Errorf("the audit has %+v, %v", refused, err)
		}
		for _, e := range refused {
			if e.Allowed || e.Verb != "deploy" || e.By.Name != "guest" || !strings.Contains(e.Reason, "may not deploy") {
				t.Errorf("%+v", e)
			}
		}
		_, err = guest.Deploy(t.Context(), bundle("shop"))
		wants(t, "the granted place", err, "")
	})
}
