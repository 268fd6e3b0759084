package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// TestDirectoryGoes ends agent and pods when the account's directory, or one above it, is removed or moved.
func TestDirectoryGoes(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(dir string) error{
		"removed":          os.RemoveAll,
		"emptied":          func(dir string) error { return os.Remove(filepath.Join(dir, "id")) },
		"moved":            func(dir string) error { return os.Rename(dir, dir+"-moved") },
		"moved from above": func(dir string) error { return os.Rename(filepath.Dir(dir), filepath.Dir(dir)+"-moved") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := openIn(t, filepath.Join(t.TempDir(), "above", "account"))
			a.apply(webService + "\n---\n" + webDeployment("web", "1", "1", ""))
			a.awaitSettled("Deployment/web")
			all := append(marked(t, "SLUICE_ACCOUNT="+a.id()), a.agentProcess())
			if err := lose(a.dir); err != nil {
				t.Fatal(err)
			}
			for _, id := range all {
				awaitEnd(t, id)
			}
		})
	}
}

// TestNothingIsInherited looks at the environment of the agent and of a pod, which the command that started the agent
// must not leak into.
func TestNothingIsInherited(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(speaking)
	a.awaitSettled("Deployment/speak")
	if got := names(t, a.agentProcess()); !slices.Equal(got, []string{"PATH", "SLUICE_READY_FD"}) {
		t.Errorf("the agent has the variables %v", got)
	}
	want := []string{
		"HOME", "HOSTNAME", "PATH", "POD_DIR", "POD_IP", "PROGRAM", "SLUICE_ACCOUNT", "SLUICE_ACCOUNT_DIR",
		"SLUICE_CONTAINER", "SLUICE_POD", "SLUICE_POD_IP", "TMPDIR", "VERSION",
	}
	for _, pod := range marked(t, "SLUICE_ACCOUNT="+a.id()) {
		if diff := cmp.Diff(want, names(t, pod)); diff != "" {
			t.Errorf("the variables of the pod (-want +got):\n%s", diff)
		}
	}
}

// names returns the names of the variables that the process was started with.
func names(t *testing.T, id process.Identity) []string {
	t.Helper()
	all, err := process.With("PATH")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range all {
		for name := range p.Env {
			if p.Identity == id && name != "" {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return found
}

// TestDirectoryComesBack removes the directory of an account and opens another account in its place at once.
func TestDirectoryComesBack(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "1", ""))
	a.awaitSettled("Deployment/web")
	all := append(marked(t, "SLUICE_ACCOUNT="+a.id()), a.agentProcess())
	if err := os.RemoveAll(a.dir); err != nil {
		t.Fatal(err)
	}
	a.dial()
	a.apply(webService + "\n---\n" + webDeployment("web", "2", "1", ""))
	a.awaitSettled("Deployment/web")
	for _, id := range all {
		awaitEnd(t, id)
	}
	if pods := a.pods(); len(pods) != 1 || restarted(pods) > 0 {
		t.Errorf("the new account has %v", pods)
	}
}
