package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// One server with SQLite, as the manifests install it.
func TestOneServer(t *testing.T) {
	t.Parallel()
	s := newServers(t)
	s.told()
	s.installManifests()
	token := s.teamToken()
	s.as(token)
	s.release("v1", quick)
	p := s.Start("run", "-f", "deploy.yaml")
	s.Ends(sluice.StatusSucceeded, p)
	s.runs("v1")

	s.Kubectl("rollout", "restart", "statefulset/sluice")
	s.Kubectl("rollout", "status", "statefulset/sluice", "--timeout=5m")
	if out := s.must("status", string(deployment(p))); !strings.Contains(out, string(sluice.StatusSucceeded)) {
		t.Errorf("the new server says:\n%s", out)
	}
	s.release("v2", quick)
	s.withFile(s.issued("deployer", s.address))
	s.deploys()
	s.runs("v2")
}

// installManifests installs one server, as docs/server.md says.
func (s *servers) installManifests() {
	s.Helper()
	s.Put("{apiVersion: v1, kind: ServiceAccount, metadata: {name: sluice}}")
	dir := filepath.Join(s.copied(), "sqlite")
	s.try(os.WriteFile(filepath.Join(dir, "sluice.yaml"), s.marshal(s.configured("sqlite")), 0o600))
	s.Kubectl("apply", "-k", dir)
	s.Kubectl("rollout", "status", "statefulset/sluice", "--timeout=5m")
}
