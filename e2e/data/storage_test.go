package data

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice"
)

// TestActsInTheStorage is the demonstration with both targets in one cluster: every copy stays in the storage of the
// claims, and no bytes move.
func TestActsInTheStorage(t *testing.T) {
	t.Parallel()
	h := newShop(t, storage{class: "csi-wait", within: true})
	defer h.forget()
	h.play(t, short())
	for _, c := range h.checkpoints() {
		if c.Copy.Mover != sluice.MoverCSI {
			t.Errorf("%s was copied by %s", c.ID, c.Copy.Mover)
		}
	}
	if _, err := os.Stat(filepath.Join(h.Dir, ".sluice", "repository")); err == nil {
		t.Error("there is a repository")
	}
	if n := len(h.List("PersistentVolumeClaim", "")); n != 1 {
		t.Errorf("production has %d claims", n)
	}
	if n := len(h.staging.List("PersistentVolumeClaim", "")); n != 1 {
		t.Errorf("staging has %d claims", n)
	}
}

// TestActsByKopia is the demonstration in one cluster, with copies that leave the storage because the file says so.
func TestActsByKopia(t *testing.T) {
	if !long {
		t.Skip("E2E_LONG is not set; TestActs copies by kopia too, between two clusters")
	}
	h := newShop(t, storage{class: "csi", within: true, mover: "kopia"})
	defer h.forget()
	h.play(t, short())
	for _, c := range h.checkpoints() {
		if c.Copy.Mover != "kopia" {
			t.Errorf("%s was copied by %s", c.ID, c.Copy.Mover)
		}
	}
}
