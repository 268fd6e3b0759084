package databasetest

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
)

func order(id any, fields ...bson.E) bson.D {
	return append(bson.D{{Key: "_id", Value: id}}, fields...)
}

func field(name string, value any) bson.E { return bson.E{Key: name, Value: value} }

// n returns a document with the key a and the field n.
func n(value any) []bson.D { return []bson.D{order("a", field("n", value))} }

// A difference is the content of one collection before and after, and what a comparison must find.
type difference struct {
	reason   string
	was, now []bson.D
	ignore   []string
	want     *sluice.CollectionComparison
}

func changed(key string, fields ...string) *sluice.CollectionComparison {
	return &sluice.CollectionComparison{Name: "orders", Changed: 1,
		ChangedKeys: []sluice.ChangedKey{{Key: key, Fields: fields}}}
}

func testDifferences(t *testing.T, databases sluice.Databases) {
	f := newFixture(t, databases)
	number := 0
	for name, test := range differences() {
		number++
		was, now := fmt.Sprintf("was%d", number), fmt.Sprintf("now%d", number)
		t.Run(name, func(t *testing.T) {
			f.put(t, was, "orders", test.was...)
			f.put(t, now, "orders", test.now...)
			var want []sluice.CollectionComparison
			if test.want != nil {
				want = append(want, *test.want)
			}
			check(t, test.reason, f.compare(t, was, now, 100, test.ignore...), want...)
		})
	}
}

func differences() map[string]difference {
	a, b, c := order("a", field("n", 1)), order("b", field("n", 2)), order("c", field("n", 3))
	return map[string]difference{
		"none":  {reason: "the order of insertion does not count", was: []bson.D{a, b, c}, now: []bson.D{c, a, b}},
		"empty": {reason: "two empty collections are equal"},
		"deletions": {"lost keys are named in order", []bson.D{a, b, c}, []bson.D{b}, nil,
			&sluice.CollectionComparison{Name: "orders", Missing: 2, MissingKeys: []string{"a", "c"}}},
		"all gone": {"an emptied collection has lost all", []bson.D{a, b}, nil, nil,
			&sluice.CollectionComparison{Name: "orders", Missing: 2, MissingKeys: []string{"a", "b"}}},
		"additions": {"new keys are named", []bson.D{b}, []bson.D{a, b}, nil,
			&sluice.CollectionComparison{Name: "orders", Added: 1, AddedKeys: []string{"a"}}},
		"field": {"a changed value", []bson.D{a, b}, []bson.D{order("a", field("n", 9)), b}, nil, changed("a", "n")},
		"new field": {"an added and a removed field", []bson.D{a}, []bson.D{order("a", field("m", 1))}, nil,
			changed("a", "m", "n")},
		"int to double":  {"1 and 1.0 are two values", n(int32(1)), n(1.0), nil, changed("a", "n")},
		"int to long":    {"1 and the long 1 are two values", n(int32(1)), n(int64(1)), nil, changed("a", "n")},
		"int to string":  {"1 and \"1\" are two values", n(int32(1)), n("1"), nil, changed("a", "n")},
		"null to absent": {"a null field is not an absent one", n(nil), []bson.D{order("a")}, nil, changed("a", "n")},
		"order of fields": {"the same fields in another order", []bson.D{order("a", field("n", 1), field("m", 2))},
			[]bson.D{order("a", field("m", 2), field("n", 1))}, nil, changed("a", "(order)")},
		"nested": {"paths lead through documents and arrays",
			[]bson.D{order("a", field("to", bson.D{field("city", "Ulm"), field("zip", 1)}),
				field("items", bson.A{1, bson.D{field("price", 5)}}))},
			[]bson.D{order("a", field("to", bson.D{field("zip", 1), field("city", "Ulm")}),
				field("items", bson.A{1, bson.D{field("price", 6)}, 3}))},
			nil, changed("a", "items.1.price", "items.2", "to.(order)")},
		"swapped values": {"two documents that exchanged a value are both changed", []bson.D{a, b},
			[]bson.D{order("a", field("n", 2)), order("b", field("n", 1))}, nil,
			&sluice.CollectionComparison{Name: "orders", Changed: 2,
				ChangedKeys: []sluice.ChangedKey{{Key: "a", Fields: []string{"n"}}, {Key: "b", Fields: []string{"n"}}}}},
		"ignored field": {"an ignored field is not a difference, others are",
			[]bson.D{order("a", field("n", 1), field("to", bson.D{field("zip", 1)})), b},
			[]bson.D{order("a", field("n", 1), field("to", bson.D{field("zip", 2)}), field("state", "new")),
				order("b", field("n", 3), field("state", "new"))},
			[]string{"orders.state", "orders.to.zip"}, changed("b", "n")},
		"ignored collection": {"an ignored collection has no difference", []bson.D{a}, []bson.D{b}, []string{"orders"}, nil},
		"mixed keys":         mixedKeys(),
	}
}

func mixedKeys() difference {
	id, err := bson.ObjectIDFromHex("0123456789abcdef01234567")
	if err != nil {
		panic(err)
	}
	at := time.UnixMilli(1_700_000_000_000)
	return difference{
		reason: "a key of any type is found and named, no two alike",
		was: []bson.D{
			order("twelve"), order("12"), order(int32(12)), order(int64(13)), order(1.5), order(id), order(true), order("true"),
			order(at), order(bson.D{field("year", int32(2024)), field("no", int32(7))}), order(int32(2)), order("kept"),
		},
		now: []bson.D{order("kept")},
		want: &sluice.CollectionComparison{Name: "orders", Missing: 11, MissingKeys: []string{
			`{"$numberDouble":"1.5"}`, "2", "12", `{"$numberLong":"13"}`, `"12"`, `"true"`, "twelve",
			`{"year":{"$numberInt":"2024"},"no":{"$numberInt":"7"}}`, `{"$oid":"0123456789abcdef01234567"}`, "true",
			`{"$date":{"$numberLong":"1700000000000"}}`,
		}},
	}
}

// testCollections compares collections, indexes and schemas.
func testCollections(t *testing.T, databases sluice.Databases) {
	f := newFixture(t, databases)
	a := order("a", field("n", 1), field("m", bson.A{1, "x", bson.D{field("k", 1.5)}}))
	for _, database := range []string{"was", "now"} {
		f.put(t, database, "orders", a)
		f.index(t, database, "kept", bson.D{field("n", 1)})
	}
	f.put(t, "was", "dropped")
	f.put(t, "now", "created", a)
	f.index(t, "was", "lost", bson.D{field("m", 1)})
	f.index(t, "was", "turned", bson.D{field("n", 1), field("k", -1)})
	f.index(t, "now", "turned", bson.D{field("k", -1), field("n", 1)})
	f.index(t, "now", "late", bson.D{field("o", 1)})
	check(t, "collections and indexes that came, went and changed", f.compare(t, "was", "now", 10),
		sluice.CollectionComparison{Name: "created", Added: 1, AddedKeys: []string{"a"}, AddedIndexes: []string{"_id_"}},
		sluice.CollectionComparison{Name: "dropped", MissingIndexes: []string{"_id_"}},
		sluice.CollectionComparison{
			Name: "orders", MissingIndexes: []string{"lost"}, AddedIndexes: []string{"late"}, ChangedIndexes: []string{"turned"},
		})
	check(t, "an index on a field that is left out", f.compare(t, "was", "now", 10, "created", "dropped", "orders.m",
		"orders.k", "orders.o"))
	print := fingerprintOf(t, f.open(t, "was")).Collections[1]
	if want := `{"n":1,"k":-1}`; print.Indexes["turned"] != want {
		t.Errorf("index turned is %s, want %s", print.Indexes["turned"], want)
	}
	want := map[string]string{"_id": "string", "n": "int", "m": "array", "m[]": "int,object,string", "m[].k": "double"}
	for path, types := range want {
		if print.Schema[path] != types {
			t.Errorf("schema of %s is %q, want %q", path, print.Schema[path], types)
		}
	}
	if len(print.Schema) != len(want) {
		t.Errorf("schema is %v, want %v", print.Schema, want)
	}
}
