package api_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// A caller who only looks where deployments could go is in the audit too, but does not fill it.
func TestRefusedPlansAreAuditedInPart(t *testing.T) {
	w := newWorld(t, openStore(t))
	ana := w.as(t, "ana")
	_, err := ana.Doctor(t.Context(), bundle("billing"))
	wants(t, "doctor", err, sluice.Denied)
	for range 60 {
		_, err := ana.Plan(t.Context(), bundle("billing"), true)
		wants(t, "plan", err, sluice.Denied)
	}
	_, err = w.as(t, "only-view").Plan(t.Context(), bundle("shop"), true)
	wants(t, "plan without the verb", err, sluice.Denied)
	list, err := w.store.Entries(t.Context(), "", 0, 100)
	if err != nil || len(list) < 20 || len(list) > 40 {
		t.Fatalf("%d entries, %v; want about 20", len(list), err)
	}
	for i, operation := range []string{"doctor", "plan"} {
		e := list[len(list)-1-i]
		if e.Allowed || e.Verb != "deploy" || e.Application != "billing" || e.By.Name != "ana" ||
			!strings.HasPrefix(e.Reason, operation+": ana may not deploy") {
			t.Errorf("of %s: %+v", operation, e)
		}
	}
}
