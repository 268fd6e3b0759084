package databasetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// testServer describes the server, and finds out that FerretDB has no lock.
func testServer(t *testing.T, databases sluice.Databases) {
	f := newFixture(t, databases)
	for _, database := range []string{"shop", "carts", "audit"} {
		f.put(t, database, "orders", order("a"))
	}
	db := f.open(t, "shop")
	server, err := db.(sluice.Describer).Describe(t.Context())
	must(t, err)
	if diff := cmp.Diff([]string{"audit", "carts"}, server.Others); diff != "" {
		t.Errorf("other databases (-want +got):\n%s", diff)
	}
	if !strings.Contains(server.Version, "FerretDB") || server.Format != "" {
		t.Errorf("FerretDB describes itself as %+v", server)
	}
	print := fingerprintOf(t, db)
	printed := sluice.Server{Version: print.Version, Format: print.Format, Others: print.Others}
	if diff := cmp.Diff(server, printed); diff != "" {
		t.Errorf("the fingerprint describes another server (-described +fingerprint):\n%s", diff)
	}
	locker := db.(sluice.Locker)
	for _, err := range []error{locker.Lockable(t.Context()), locker.Lock(t.Context(), time.Minute)} {
		if sluice.ErrorCode(err) != sluice.Unsupported || sluice.ErrorHint(err) == "" {
			t.Errorf("lock FerretDB: %v, hint %q", err, sluice.ErrorHint(err))
		}
	}
	if err := locker.Unlock(t.Context()); err != nil {
		t.Errorf("unlock what is not locked: %v", err)
	}
}
