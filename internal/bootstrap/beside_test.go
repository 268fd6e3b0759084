package bootstrap

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/secret"
)

func TestOnlyClustersRunJobs(t *testing.T) {
	w := NewWiring(StateDir{}, &config.Config{Accounts: map[string]config.Account{
		"local":   {Type: config.AccountLocal},
		"east":    {Type: config.AccountKubernetes},
		"private": {Type: config.AccountKubernetes, Job: config.Job{Image: "mine:1", User: 1000, CPU: "1", Memory: "1Gi"}},
	}})
	for name, want := range map[string]beside.Settings{
		"local": {}, "unknown": {},
		"east":    {Image: "ghcr.io/sluice-cd/sluice:" + tag(Version().Version)},
		"private": {Image: "mine:1", User: 1000, CPU: "1", Memory: "1Gi"},
	} {
		if diff := cmp.Diff(want, w.besideSettings(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The keys of connections are never written anywhere, and a wiring that runs no Job makes none.
func TestKeysOfJobsAreSecret(t *testing.T) {
	r := new(secret.Redactor)
	dir, err := OpenState(t.TempDir()+"/state", r)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWiring(dir, config.Default())
	w.Movers()
	if _, err := os.Stat(dir.Path("key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
	first, err := w.besideSecret("job")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewWiring(dir, config.Default()).besideSecret("job")
	if err != nil || again != first {
		t.Errorf("another process has another key: %v", err)
	}
	if said := r.Text("a key " + first); strings.Contains(said, first) {
		t.Error(said)
	}
}
