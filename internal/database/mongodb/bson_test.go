package mongodb

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	document, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func decimal(t testing.TB, s string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func outline(t testing.TB, document []byte) *fingerprint.Outline {
	t.Helper()
	o, err := outlineOf(document, new(int))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// FuzzDocument: no bytes from a server crash the reading, and what is BSON is read alike by all of it.
func FuzzDocument(f *testing.F) {
	f.Add(marshal(f, bson.D{{Key: "_id", Value: "a"}, {Key: "to", Value: bson.D{{Key: "zip", Value: 1}}},
		{Key: "items", Value: bson.A{1, 2.5, bson.D{{Key: "zip", Value: nil}}}}}))
	f.Add(marshal(f, bson.D{{Key: "n", Value: decimal(f, "1.5")}, {Key: "n", Value: bson.MinKey{}},
		{Key: "", Value: bson.Regex{Pattern: "a"}}}))
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Add([]byte{12, 0, 0, 0, 3, 'a', 0, 255, 255, 255, 255, 0})
	f.Fuzz(func(t *testing.T, document []byte) {
		valid := wellFormed(document)
		key, err := appendKey(nil, document)
		if valid && err != nil {
			t.Fatalf("no key of a valid document: %v", err)
		}
		if err == nil {
			_ = renderKey(string(key))
			if same, err := keyOf(string(appendSortable(nil, key))); err != nil || same != string(key) {
				t.Fatalf("the key %q is sorted as %q: %v", key, same, err)
			}
		}
		var s schema
		_ = s.add(document)
		_ = s.types()
		_ = newSum("items.zip").add(document)
		_, _ = without(nil, document, []string{"to.zip", "items.zip"})
		same, err := without(nil, document, []string{"\x01absent"})
		if valid && (err != nil || !bytes.Equal(same, document)) {
			t.Fatalf("leaving nothing out changed the document: %v", err)
		}
		fields := 0
		if _, err := outlineOf(document, &fields); valid && (err != nil || fields == 0) && !errors.Is(err, errLarge) {
			t.Fatalf("a document with %d fields: %v", fields, err)
		}
	})
}

func TestKeysAreRenderedSoThatNoTwoLookAlike(t *testing.T) {
	seen := map[string]any{}
	for _, id := range []any{
		"a", "12", "1.5", "", "true", "null", `"a"`, "order-7", "a b", "{}", `{"$oid":"0123456789abcdef01234567"}`, "é",
		int32(12), int64(12), 12.0, 1.5, true, nil, bson.D{{Key: "a", Value: 1}}, decimal(t, "12"),
		bson.Binary{Data: []byte{1}},
		bson.DateTime(5), bson.Timestamp{T: 5},
	} {
		key, err := appendKey(nil, marshal(t, bson.D{{Key: "_id", Value: id}}))
		if err != nil {
			t.Fatal(err)
		}
		if same, err := keyOf(string(appendSortable(nil, key))); err != nil || same != string(key) {
			t.Errorf("the key %q is sorted as %q: %v", key, same, err)
		}
		text := renderKey(string(key))
		if other, ok := seen[text]; ok {
			t.Errorf("%#v and %#v both look like %s", other, id, text)
		}
		seen[text] = id
	}
	for _, want := range []string{"a", "order-7", "12", `"12"`, `{"$numberLong":"12"}`, `{"$numberDouble":"12.0"}`,
		`"true"`, "true"} {
		if _, ok := seen[want]; !ok {
			t.Errorf("no key looks like %s", want)
		}
	}
}

func TestASumIsExactInAnyOrder(t *testing.T) {
	values := []any{0.1, 0.2, 0.3, 1e300, -1e300, 1e-300, int64(math.MaxInt64), int64(math.MaxInt64), int32(-7),
		decimal(t, "0.10"), decimal(t, "1E+3"), "9", nil, true}
	var want float64
	for round := range 3 {
		slices.Reverse(values)
		first, second := newSum("n"), newSum("n")
		for i, v := range values {
			s := first
			if i%(round+2) == 0 {
				s = second
			}
			if err := s.add(marshal(t, bson.D{{Key: "n", Value: v}})); err != nil {
				t.Fatal(err)
			}
		}
		first.merge(second)
		got, err := first.value64(sluice.Invariant{})
		if err != nil {
			t.Fatal(err)
		}
		if round > 0 && got != want {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
		want = got
	}
	if exact := 2*float64(math.MaxInt64) - 7 + 1000; math.Abs(want-exact) > 4096 {
		t.Errorf("sum %v, want about %v", want, exact)
	}
	odd := newSum("n")
	if err := odd.add(marshal(t, bson.D{{Key: "n", Value: math.NaN()}})); err != nil {
		t.Fatal(err)
	}
	if _, err := odd.value64(sluice.Invariant{Name: "x"}); sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("a sum with NaN in it: %v, want an error", err)
	}
}

func TestASchemaKeepsTheFirstPathsWhateverTheOrder(t *testing.T) {
	var forwards, backwards schema
	const wild = 5000
	for i := range wild {
		for s, n := range map[*schema]int{&forwards: i, &backwards: wild - 1 - i} {
			name := string(rune('a'+n%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n/676))
			if err := s.add(marshal(t, bson.D{{Key: name, Value: bson.D{{Key: "x", Value: n % 2}}}})); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(forwards.types(), backwards.types()); diff != "" || len(forwards.types()) != maxPaths {
		t.Errorf("%d paths kept (-forwards +backwards):\n%s", len(forwards.types()), diff)
	}
}

func TestPartsAdjoinAndCoverEverything(t *testing.T) {
	value := func(v any) bson.RawValue { return bson.Raw(marshal(t, bson.D{{Key: "v", Value: v}})).Lookup("v") }
	keys := []bson.RawValue{value(int32(1)), value("a"), value("a"), value(bson.ObjectID{1})}
	parts := split(2, "orders", keys)
	if len(parts) != 4 || parts[0].min != nil || parts[3].max != nil {
		t.Fatalf("parts are %+v, want 4 with open ends", parts)
	}
	for i, p := range parts[1:] {
		if !parts[i].max.Equal(*p.min) {
			t.Errorf("part %d ends at %v, the next begins at %v", i, parts[i].max, p.min)
		}
	}
	if whole := split(0, "orders", nil); len(whole) != 1 || whole[0].bounded() {
		t.Errorf("without keys: %+v, want one part without bounds", whole)
	}
}

func TestIndexDefinitions(t *testing.T) {
	for want, index := range map[string]bson.D{
		`{"b":1,"a":-1}`: {{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: "b", Value: 1.0}, {Key: "a", Value: -1}}},
			{Key: "name", Value: "x"}, {Key: "ns", Value: "shop.orders"}, {Key: "sparse", Value: false}},
		`{"a":"text"} "expireAfterSeconds":60 "partialFilterExpression":{"a":{"$gt":5}} "unique":true`: {
			{Key: "key", Value: bson.D{{Key: "a", Value: "text"}}}, {Key: "name", Value: "x"}, {Key: "unique", Value: true},
			{Key: "partialFilterExpression", Value: bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: int64(5)}}}}},
			{Key: "expireAfterSeconds", Value: 60},
		},
	} {
		name, got, err := indexDefinition(marshal(t, index))
		if err != nil || name != "x" || got != want {
			t.Errorf("index %s is %s (%v), want %s", name, got, err, want)
		}
	}
}

// Documents with very many fields are not described, and those beside them are.
func TestAShelfHoldsABoundedNumberOfFields(t *testing.T) {
	large := make(bson.A, fetchFields)
	small := marshal(t, bson.D{{Key: "n", Value: 1}})
	s := &shelf{outlines: map[string]*fingerprint.Outline{}}
	for key, document := range map[string][]byte{
		"a": small, "b": marshal(t, bson.D{{Key: "n", Value: large}}), "c": small,
	} {
		if err := s.put(key, document); err != nil {
			t.Fatal(err)
		}
	}
	if s.outlines["a"] == nil || s.outlines["b"] != nil || s.outlines["c"] == nil || s.fields != 4 {
		t.Errorf("%d fields of %d documents are kept", s.fields, len(s.outlines))
	}
}
