package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// checkpoint is one of the application, taken at the nth second.
func checkpoint(id sluice.CheckpointID, application string, n int) sluice.Checkpoint {
	return sluice.Checkpoint{
		ID: id, Application: application, Deployment: "d1", Step: "production/before/0", Dataset: "orders",
		Target: "production", Account: "local", Namespace: "production",
		TakenAt: at(n), Pause: 12 * time.Millisecond, Image: "mongo:6",
		Copy: sluice.Copy{Mover: "kopia", Snapshots: []string{"s1"}, Claims: []string{"mongo-data"}, Bytes: 1 << 30,
			Added: 5, Files: 7},
		Fingerprint: sluice.Fingerprint{
			Engine: "mongodb", Version: "6.0", TakenAt: at(n), Took: time.Second,
			Collections: []sluice.CollectionFingerprint{{
				Name: "orders", Count: 3, Digest: sluice.Digest{Count: 3, Xor: 1<<63 + 1, Sum: 1<<64 - 1},
				Segments: []sluice.Digest{{Count: 3, Xor: 1, Sum: 2}}, Indexes: map[string]string{"_id_": "{_id: 1}"},
			}},
		},
		Expires: at(n + 3600),
	}
}

func testCatalogue(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"gives back what was put":            catalogueRoundTrip,
		"replaces a checkpoint by its id":    catalogueReplaces,
		"says NotFound for an absent one":    catalogueNotFound,
		"lists by application, newest first": catalogueLists,
		"deletes, also what is absent":       catalogueDeletes,
		"refuses one without an id":          catalogueNeedsID,
		"changes nothing once ctx is ended":  catalogueCancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
}

func catalogueRoundTrip(t *testing.T, s sluice.Store) {
	want := checkpoint("c1", "shop", 0)
	must(t, s.PutCheckpoint(context.Background(), want))
	wantCheckpoint(t, s, want)
}

// wantCheckpoint fails the test unless the catalogue has exactly this one under its id.
func wantCheckpoint(t *testing.T, s sluice.Catalogue, want sluice.Checkpoint) {
	t.Helper()
	got, err := s.Checkpoint(context.Background(), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checkpoint %s (-want +got):\n%s", want.ID, diff)
	}
}

func catalogueReplaces(t *testing.T, s sluice.Store) {
	must(t, s.PutCheckpoint(context.Background(), checkpoint("c1", "shop", 0)))
	want := checkpoint("c1", "blog", 9)
	must(t, s.PutCheckpoint(context.Background(), want))
	wantCheckpoint(t, s, want)
	wantCheckpoints(t, s, "shop")
	wantCheckpoints(t, s, "blog", "c1")
}

func catalogueNotFound(t *testing.T, s sluice.Store) {
	_, err := s.Checkpoint(context.Background(), "absent")
	wantCode(t, err, sluice.NotFound)
}

// wantCheckpoints fails the test unless the list has exactly these.
func wantCheckpoints(t *testing.T, s sluice.Catalogue, application string, want ...sluice.CheckpointID) {
	t.Helper()
	list, err := s.Checkpoints(context.Background(), application)
	must(t, err)
	var got []sluice.CheckpointID
	for _, c := range list {
		got = append(got, c.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checkpoints of %q (-want +got):\n%s", application, diff)
	}
}

func catalogueLists(t *testing.T, s sluice.Store) {
	for _, c := range []sluice.Checkpoint{checkpoint("c3", "shop", 1), checkpoint("c1", "shop", 2),
		checkpoint("c2", "blog", 0)} {
		must(t, s.PutCheckpoint(context.Background(), c))
	}
	wantCheckpoints(t, s, "", "c1", "c3", "c2")
	wantCheckpoints(t, s, "shop", "c1", "c3")
	wantCheckpoints(t, s, "absent")
}

func catalogueDeletes(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.PutCheckpoint(ctx, checkpoint("c1", "shop", 0)))
	must(t, s.PutCheckpoint(ctx, checkpoint("c2", "shop", 1)))
	must(t, s.DeleteCheckpoint(ctx, "c1"))
	must(t, s.DeleteCheckpoint(ctx, "c1"))
	must(t, s.DeleteCheckpoint(ctx, "never"))
	wantCheckpoints(t, s, "", "c2")
}

func catalogueNeedsID(t *testing.T, s sluice.Store) {
	wantCode(t, s.PutCheckpoint(context.Background(), checkpoint("", "shop", 0)), sluice.Invalid)
	wantCheckpoints(t, s, "")
}

func catalogueCancelled(t *testing.T, s sluice.Store) {
	must(t, s.PutCheckpoint(context.Background(), checkpoint("c1", "shop", 0)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantCode(t, s.PutCheckpoint(ctx, checkpoint("c2", "shop", 0)), sluice.Cancelled)
	wantCode(t, s.DeleteCheckpoint(ctx, "c1"), sluice.Cancelled)
	wantCheckpoints(t, s, "", "c1")
}
