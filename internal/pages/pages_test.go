package pages

import (
	"testing"
)

func TestSmoke(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	w.checkpoint()
	w.deploy(planOf("shop", "2.2"))
	id := w.start(planOf("shop", "2.3"), "ana")
	w.untilWaits(id)
	for _, path := range []string{"/", "/deployments/" + string(id), "/deployments/" + string(id) + "?step=production/apply", "/applications/shop", "/checkpoints", "/audit", "/accounts", "/nothing", "/deployments/" + string(id) + "/rollback"} {
		r, body := w.get(path, "ana")
		t.Log(path, r.StatusCode, len(body))
		if r.StatusCode != 200 {
			t.Log(body)
		}
	}
}
