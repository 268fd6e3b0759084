package rollout_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

const blueGreen = `
blueGreen:
  redirectTrafficAfter: [{pause: {untilApproved: true}}]
  shutDownOldVersionAfter: [{pause: {untilApproved: true}}]
trafficManagement:
  - kubernetes: [{activeService: web, previewService: preview}]
`

const (
	redirect = "production/bluegreen/redirect/0"
	shutdown = "production/bluegreen/shutdown/0"
)

// preview is a Service that somebody keeps beside the application.
const preview = `{apiVersion: v1, kind: Service, metadata: {name: preview}, ` +
	`spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}}`

// switched starts a blue/green release of v2 and returns when v2 has the traffic.
func (s shop) switched() *world.Process {
	s.Helper()
	s.release("v2", "green")
	p := s.Start("run", "-f", "deploy.yaml")
	p.Await(waits(redirect))
	s.expect("web-canary", map[string]int{"v2": 4})
	if active, shown := s.AskService("web", "/version"), s.AskService("preview", "/version"); active != "v1 blue" ||
		shown != "v2 green" {
		s.Errorf("before the switch the active Service shows %q, the preview %q", active, shown)
	}
	s.approve()
	p.Await(waits(shutdown))
	s.expect("web", map[string]int{"v1": 4})
	return p
}

func TestBlueGreen(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(blueGreen)
	s.Put(preview)
	before := s.Snapshot()
	load, lowest := s.Load("web", 80, "/version"), s.Lowest("app=web")
	p := s.switched()
	load.Becomes("v2")
	s.approve()
	r := s.Ends(sluice.StatusSucceeded, p)
	t.Logf("took %s\n%s", r.Took.Round(time.Second), r.Story())
	s.expect("web", map[string]int{"v2": 4})
	if n := lowest.Stop(); n < 4 {
		t.Errorf("there were only %d ready pods once", n)
	}
	s.Unchanged(before, "Deployment/web", "ConfigMap/web*")
	load.Perfect()
}

func TestBlueGreenReturns(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.installed(blueGreen)
	s.Put(preview)
	before := s.Snapshot()
	load := s.Load("web", 80, "/version")
	p := s.switched()
	s.command("rollback")
	r := s.RollsBack(p)
	t.Logf("took %s\n%s", r.Took.Round(time.Second), r.Story())
	load.Becomes("v1")
	s.Unchanged(before)
	s.expect("web", map[string]int{"v1": 4})
	load.Perfect()
}
