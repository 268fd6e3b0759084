package mongodb

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
)

// Checkpoints store fingerprints, and later releases of Sluice compare them with what they read. So what this file
// pins must never change: which bytes are a document's key, which bytes of a document are hashed, how a schema is
// written and how a field is summed up. TestIndexDefinitions pins the definitions of indexes.

// goldenDocuments have every type of key and value that tells implementations apart.
func goldenDocuments(t *testing.T) [][]byte {
	t.Helper()
	date := bson.DateTime(time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC).UnixMilli())
	documents := []bson.D{
		{{Key: "_id", Value: bson.ObjectID{1, 2, 3}}, {Key: "total", Value: int32(7)}, {Key: "at", Value: date}},
		{{Key: "total", Value: int64(1) << 40}, {Key: "_id", Value: "order-1"}, {Key: "note", Value: nil}},
		{{Key: "_id", Value: int32(12)}, {Key: "total", Value: 2.5}, {Key: "paid", Value: true}},
		{{Key: "_id", Value: int64(12)}, {Key: "total", Value: decimal(t, "0.10")}, {Key: "ok", Value: bson.MinKey{}}},
		{{Key: "_id", Value: bson.D{{Key: "shop", Value: 1}, {Key: "no", Value: 2}}},
			{Key: "items", Value: bson.A{bson.D{{Key: "sku", Value: "a"}, {Key: "n", Value: 1}}, "loose", bson.A{1.5}}}},
		{{Key: "_id", Value: 1.5}, {Key: "raw", Value: bson.Binary{Subtype: 4, Data: []byte{1, 2}}},
			{Key: "re", Value: bson.Regex{Pattern: "^a", Options: "i"}}, {Key: "ts", Value: bson.Timestamp{T: 5, I: 1}}},
		{{Key: "total", Value: 1}, {Key: "none", Value: "a document of a time series has no _id"}},
	}
	var all [][]byte
	for _, d := range documents {
		all = append(all, marshal(t, d))
	}
	return all
}

func TestKeysArePinned(t *testing.T) {
	want := []string{
		"07010203000000000000000000",
		"02080000006f726465722d3100",
		"100c000000",
		"120c00000000000000",
		"03170000001073686f700001000000106e6f000200000000",
		"01000000000000f83f",
		"034100000010746f74616c0001000000026e6f6e6500270000006120646f63756d656e74206f6620612074696d65207365726965732068" +
			"6173206e6f205f69640000",
	}
	var got []string
	for _, document := range goldenDocuments(t) {
		key, err := appendKey(nil, document)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%x", key))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// The golden files have no -update: see above.
func TestFingerprintsArePinned(t *testing.T) {
	of := []collection{{name: "orders", expected: 200}}
	invariants := []sluice.Invariant{
		{Name: "how many", Count: "orders"}, {Name: "total", Sum: "orders", Field: "total"},
		{Name: "items", Sum: "orders", Field: "items.n"},
	}
	for golden, ignored := range map[string][]string{
		"testdata/fingerprint.json":         nil,
		"testdata/fingerprint-ignored.json": {"orders.at", "orders.items.sku", "customers.total"},
	} {
		seen := newTally(of[0], invariants, ignored)
		for _, document := range goldenDocuments(t) {
			if err := seen.add(document); err != nil {
				t.Fatal(err)
			}
		}
		printed := seen.set.Fingerprint("orders")
		printed.Schema = seen.schema.types()
		f := sluice.Fingerprint{Engine: "mongodb", Collections: []sluice.CollectionFingerprint{printed}}
		var err error
		if f.Invariants, err = figures(invariants, of, []*tally{seen}); err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", golden, diff)
		}
	}
}
