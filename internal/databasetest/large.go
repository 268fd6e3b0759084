package databasetest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
)

const (
	largeCount = 100_000
	// largeHeap bounds how much reading 100 MB twice adds to the heap: batches, chunks and digests, but no documents.
	largeHeap = 64 << 20
)

// testLarge compares 100,000 documents of 1 KiB, of which one is lost, one changed and one new.
func testLarge(t *testing.T, databases sluice.Databases) {
	f := newLarge(t, databases)
	was, now := f.open(t, "was"), f.open(t, "now")
	orders := f.client.Database("now").Collection("orders")
	if _, err := orders.DeleteOne(t.Context(), bson.D{field("_id", "order-077777")}); err != nil {
		t.Fatal(err)
	}
	set := bson.D{field("$set", bson.D{field("n", 1.0)})}
	if _, err := orders.UpdateByID(t.Context(), "order-000000", set); err != nil {
		t.Fatal(err)
	}
	if _, err := orders.InsertOne(t.Context(), order("order-late")); err != nil {
		t.Fatal(err)
	}
	wasPrint, nowPrint := printLarge(t, was, now)
	if wasPrint.Collections[0].Count != largeCount || nowPrint.Collections[0].Count != largeCount {
		t.Errorf("counted %d and %d, want %d", wasPrint.Collections[0].Count, nowPrint.Collections[0].Count, largeCount)
	}
	comparison, err := now.Compare(t.Context(), nowPrint, was, wasPrint, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []sluice.CollectionComparison{{
		Name: "orders", Missing: 1, MissingKeys: []string{"order-077777"}, Added: 1, AddedKeys: []string{"order-late"},
		Changed: 1, ChangedKeys: []sluice.ChangedKey{{Key: "order-000000", Fields: []string{"n"}}},
	}}
	if diff := cmp.Diff(want, comparison.Collections); diff != "" {
		t.Errorf("one of each in 100,000 (-want +got):\n%s", diff)
	}
	cancelled(t, was)
}

// printLarge fingerprints both at the same time, because FerretDB uses one processor per cursor. It watches the heap
// and the reports of one.
func printLarge(t *testing.T, was, now sluice.Database) (wasPrint, nowPrint sluice.Fingerprint) {
	t.Helper()
	runtime.GC() // memory left over from filling must not hide what reading needs
	before := heap()
	peak := before
	var last sluice.Amount
	report := func(a sluice.Amount) {
		if a.Done < last.Done || a.Unit != "documents" || a.Total < a.Done {
			t.Errorf("reported %+v after %+v", a, last)
		}
		last, peak = a, max(peak, heap())
	}
	var group errgroup.Group
	group.Go(func() (err error) { wasPrint, err = was.Fingerprint(t.Context(), nil, report); return err })
	group.Go(func() (err error) { nowPrint, err = now.Fingerprint(t.Context(), nil, nil); return err })
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if last.Done != largeCount {
		t.Errorf("the last report says %d documents, want %d", last.Done, largeCount)
	}
	t.Logf("the heap grew by %d MiB", (peak-before)>>20)
	if peak-before > largeHeap {
		t.Errorf("the heap grew by %d MiB, more than %d", (peak-before)>>20, largeHeap>>20)
	}
	return wasPrint, nowPrint
}

// newLarge fills one database and copies its file, which is much faster than filling two.
func newLarge(t *testing.T, databases sluice.Databases) fixture {
	t.Helper()
	dir := t.TempDir()
	server, err := Start(t.Context(), "ferretdb-1.24", dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("fill", func(t *testing.T) { // disconnects at the end, so that the server stops cleanly
		f := fixtureOn(t, databases, server)
		orders := f.client.Database("was").Collection("orders")
		pad := strings.Repeat("x", 960)
		for from := 0; from < largeCount; from += 5000 {
			some := make([]bson.D, 0, 5000)
			for i := from; i < from+5000; i++ {
				some = append(some, order(fmt.Sprintf("order-%06d", i), field("n", i), field("pad", pad)))
			}
			if _, err := orders.InsertMany(t.Context(), some, options.InsertMany().SetOrdered(false)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(aside, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(aside, "was.sqlite"), filepath.Join(dir, "now.sqlite")); err != nil {
		t.Fatal(err)
	}
	return fixtureOn(t, databases, startServer(t, dir))
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
