package databasetest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/databasetest"
)

// TestAnUpgradeOfTheServerKeepsTheFingerprint: what one version wrote, the next one opens and shows byte by byte alike,
// also after the first was killed.
func TestAnUpgradeOfTheServerKeepsTheFingerprint(t *testing.T) {
	dir := t.TempDir()
	var prints []sluice.Fingerprint
	for _, example := range []string{"ferretdb-1.23", "ferretdb-1.24"} {
		server, err := databasetest.Start(t.Context(), example, dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(prints) == 0 {
			writeOrders(t, server.URI("shop"))
		}
		db, err := mongodb.New().Open(t.Context(), server.URI("shop"), nil)
		if err != nil {
			t.Fatal(err)
		}
		print, err := db.Fingerprint(t.Context(), []sluice.Invariant{{Name: "orders", Count: "orders"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		prints = append(prints, print)
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.Kill()
	}
	if diff := cmp.Diff(prints[0], prints[1], cmpopts.IgnoreFields(sluice.Fingerprint{}, "TakenAt", "Took")); diff != "" {
		t.Errorf("before and after the upgrade (-before +after):\n%s", diff)
	}
	if n := prints[0].Collections[0].Count; n != 2000 {
		t.Errorf("%d orders, want 2000", n)
	}
}

func writeOrders(t *testing.T, uri string) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	orders := client.Database("shop").Collection("orders")
	var some []bson.D
	for i := range 2000 {
		some = append(some, bson.D{
			{Key: "_id", Value: bson.NewObjectID()}, {Key: "n", Value: int32(i)}, {Key: "total", Value: float64(i) / 7},
			{Key: "items", Value: bson.A{bson.D{{Key: "sku", Value: "tea"}, {Key: "quantity", Value: int64(i)}}, nil, true}},
			{Key: "at", Value: bson.DateTime(1_700_000_000_000 + int64(i))},
		})
	}
	if _, err := orders.InsertMany(t.Context(), some); err != nil {
		t.Fatal(err)
	}
	index := mongo.IndexModel{Keys: bson.D{{Key: "n", Value: 1}, {Key: "total", Value: -1}},
		Options: options.Index().SetUnique(true)}
	if _, err := orders.Indexes().CreateOne(t.Context(), index); err != nil {
		t.Fatal(err)
	}
	if err := client.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
}
