package service_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/csi"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// A copy in the storage of an account that does not answer stays, and that is no error: the account answers another
// time.
func TestWhatIsOutOfReachIsNotReaped(t *testing.T) {
	now := time.Now()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := sluice.Checkpoint{ID: "1-a", Account: "cluster", Expires: now.Add(-time.Hour),
		Copy: sluice.Copy{Mover: sluice.MoverCSI, Snapshots: []string{"s"}, Claims: []string{"data"}}}
	if err := store.PutCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r := service.Reaper{
		Store: store, Movers: map[string]sluice.Mover{csi.Name: csi.New(nil)}, Now: func() time.Time { return now },
	}
	if deleted, err := r.Checkpoints(t.Context()); err != nil || len(deleted) > 0 {
		t.Errorf("deleted are %v: %v", deleted, err)
	}
	if left, err := store.Checkpoints(t.Context(), ""); err != nil || len(left) != 1 {
		t.Errorf("left are %v: %v", left, err)
	}
}
