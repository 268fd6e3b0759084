package mongodb

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice/internal/fingerprint"
	"github.com/sluice-cd/sluice/internal/mask"
)

func redacting(rules map[string]string) redactor {
	return redactor{masker: mask.New([]byte("key")), rules: rules}.fresh()
}

// every has a value of every type.
func every(t testing.TB) bson.D {
	return bson.D{
		{Key: "_id", Value: "ada"}, {Key: "string", Value: "Ada"}, {Key: "symbol", Value: bson.Symbol("Ada")},
		{Key: "int", Value: int32(42)}, {Key: "long", Value: int64(42)},
		{Key: "double", Value: 42.5}, {Key: "decimal", Value: decimal(t, "-42.50")}, {Key: "date", Value: bson.DateTime(42)},
		{Key: "objectId", Value: bson.ObjectID{42}},
		{Key: "binData", Value: bson.Binary{Subtype: 4, Data: []byte("0123456789abcdef")}}, {Key: "null", Value: nil},
		{Key: "minKey", Value: bson.MinKey{}},
		{Key: "array", Value: bson.A{"Ada", bson.A{bson.D{{Key: "name", Value: "Ada"}}}}},
	}
}

func TestEveryTypeStaysAndEveryValueGoes(t *testing.T) {
	rules := map[string]string{}
	for _, e := range every(t)[1:] {
		rules[e.Key] = mask.Hash
	}
	before := marshal(t, every(t))
	r := redacting(rules)
	after, err := r.redact(nil, before)
	if err != nil || r.spoiled() || r.mistakes("people") != nil {
		t.Fatalf("%v, %v, %v", err, r.mistakes("people"), r)
	}
	var was, is schema
	if err := was.add(before); err != nil {
		t.Fatal(err)
	}
	if err := is.add(after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was.types(), is.types()); diff != "" {
		t.Errorf("types changed:\n%s", diff)
	}
	differ := fingerprint.Difference(outline(t, before), outline(t, after))
	want := "array.0 array.1.0.name binData date decimal double int long objectId string symbol"
	if got := strings.Join(differ, " "); got != want {
		t.Errorf("changed were %s, want %s", got, want)
	}
	if bytes.Contains(after, []byte("Ada")) || strings.Count(bson.Raw(after).String(),
		bson.Raw(after).Lookup("string").StringValue()) != 4 {
		t.Errorf("the same value has not the same mask everywhere: %s", bson.Raw(after))
	}
	paths := make([]string, 0, len(rules))
	for path := range rules {
		paths = append(paths, path)
	}
	left, err := without(nil, before, paths)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := without(nil, after, paths)
	if err != nil || !bytes.Equal(left, kept) {
		t.Errorf("what is not masked changed: %v", err)
	}
}

func TestAFieldInAnArrayIsDeclaredLikeOneInADocument(t *testing.T) {
	document := marshal(t, bson.D{{Key: "items",
		Value: bson.A{bson.D{{Key: "sku", Value: "tea"}, {Key: "for", Value: "Ada"}},
			bson.A{bson.D{{Key: "for", Value: "Bob"}}}, "loose"}}})
	r := redacting(map[string]string{"items.for": mask.Hash})
	if _, err := r.redact(nil, document); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"items": true, "items.sku": true}, r.undeclared); diff != "" {
		t.Errorf("undeclared:\n%s", diff)
	}
}

// FuzzRedact: no bytes from a server crash it, and what is masked is BSON still, with the same fields.
func FuzzRedact(f *testing.F) {
	f.Add(marshal(f, every(f)))
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, document []byte) {
		r := redacting(map[string]string{"array": mask.Format, "string": mask.Email, "binData": mask.Hash, "int": mask.Hash,
			"double": mask.Format})
		after, err := r.redact(nil, document)
		if err != nil || !wellFormed(document) {
			return
		}
		if !wellFormed(after) {
			t.Fatalf("%x became %x", document, after)
		}
		again := redacting(r.rules)
		if same, err := again.redact(nil, document); err != nil || !bytes.Equal(same, after) {
			t.Fatalf("not the same twice: %v", err)
		}
	})
}
