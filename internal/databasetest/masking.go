package databasetest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// people is a mask for every field of customers and their orders.
func people() sluice.Mask {
	return sluice.Mask{
		"customers.email": "email", "customers.name": "hash", "customers.phone": "format", "customers.address": "hash",
		"customers.notes.text": "empty", "customers.tags": "hash", "customers.born": "hash", "customers.score": "format",
		"customers.since": "keep", "customers.active": "keep", "customers.token": "hash", "orders.customer": "email",
		"orders.total": "keep",
	}
}

func customer(i int) bson.D {
	return order(fmt.Sprintf("c%03d", i),
		field("email", person(i)), field("name", "Ada"), field("phone", fmt.Sprintf("+49 711 %06d", i)),
		field("address", bson.D{field("street", "Main Street"), field("zip", int32(70000+i)),
			field("geo", bson.A{48.5, 9.25})}),
		field("notes", bson.A{bson.D{field("text", "called twice")}, bson.D{field("text", "angry")}}),
		field("tags", bson.A{"vip", nil}), field("born", time.UnixMilli(int64(i)*86_400_000).UTC()),
		field("score", int64(1000+i)), field("since", int32(2020)), field("active", true),
		field("token", bson.Binary{Subtype: 4, Data: []byte("0123456789abcdef")}))
}

func person(i int) string { return fmt.Sprintf("person%d@example.com", i) }

const customers = 1200 // more than one batch

// shop has customers, their orders, and a collection that no mask names.
func (f fixture) shop(t *testing.T, database string) {
	t.Helper()
	var all, ordered []bson.D
	for i := range customers {
		all = append(all, customer(i))
		ordered = append(ordered, order(fmt.Sprintf("o%03d", i), field("customer", person(i)), field("total", 9.5)))
	}
	f.put(t, database, "customers", all...)
	f.put(t, database, "orders", ordered...)
	f.put(t, database, "stock", order("tea", field("n", 1)))
	f.createIndex(t, database, "customers", phones)
}

var phones = mongo.IndexModel{Keys: bson.D{field("phone", 1)}, Options: options.Index().SetUnique(true)}

func testMasking(t *testing.T, databases sluice.Databases) {
	f, twin := newFixture(t, databases), newFixture(t, databases)
	f.shop(t, "masked")
	twin.shop(t, "masked")
	var names []string
	for name, rule := range people() {
		if rule != "keep" {
			names = append(names, name)
		}
	}
	before := fingerprintOf(t, f.open(t, "masked", names...))
	full := fingerprintOf(t, f.open(t, "masked"))
	for _, f := range []fixture{f, twin} {
		var last sluice.Amount
		n, err := f.open(t, "masked").(sluice.Masker).Mask(t.Context(), people(), []byte("key"),
			func(a sluice.Amount) { last = a })
		if err != nil || n != 2*customers || last.Done != n || last.Unit != "documents" {
			t.Fatalf("masked %d documents, reported %+v: %v", n, last, err)
		}
	}
	t.Run("only what is declared changes", func(t *testing.T) {
		if fingerprint.Differ(before, fingerprintOf(t, f.open(t, "masked", names...)), nil) {
			t.Error("what is left of the fields that are not masked changed")
		}
		masked := fingerprintOf(t, f.open(t, "masked"))
		for i, c := range masked.Collections {
			if diff := cmp.Diff(full.Collections[i].Schema, c.Schema); diff != "" {
				t.Errorf("types of %s changed:\n%s", c.Name, diff)
			}
			if diff := cmp.Diff(full.Collections[i].Indexes, c.Indexes); diff != "" {
				t.Errorf("indexes of %s changed:\n%s", c.Name, diff)
			}
			if same := c.Digest == full.Collections[i].Digest; same != (c.Name == "stock") {
				t.Errorf("%s is as it was: %v", c.Name, same)
			}
		}
	})
	t.Run("the same mask for the same value", func(t *testing.T) {
		if fingerprint.Differ(fingerprintOf(t, twin.open(t, "masked")), fingerprintOf(t, f.open(t, "masked")), nil) {
			t.Error("two copies that were masked apart differ")
		}
	})
	t.Run("no old value is left", func(t *testing.T) { f.checkMasked(t) })
	t.Run("nothing is left in the files", func(t *testing.T) { testRemnants(t, databases) })
	t.Run("other databases", func(t *testing.T) {
		twin.put(t, "ledger", "entries", order("a"))
		_, err := twin.open(t, "masked").(sluice.Masker).Mask(t.Context(), people(), []byte("key"), nil)
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "ledger") {
			t.Errorf("a database beside it: %v", err)
		}
	})
	t.Run("Refusals", func(t *testing.T) { maskRefusals(t, databases) })
}

// checkMasked looks into every masked document.
func (f fixture) checkMasked(t *testing.T) {
	t.Helper()
	db := f.client.Database("masked")
	cursor, err := db.Collection("customers").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var all []bson.Raw
	if err := cursor.All(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for i, raw := range all {
		text := raw.String()
		for _, was := range []string{"example.com", "Ada", "Main Street", "called", "angry", "vip", "48.5"} {
			if strings.Contains(text, was) {
				t.Fatalf("%q is left in %s", was, text)
			}
		}
		if phone := raw.Lookup("phone").StringValue(); !regexp.MustCompile(`^\+\d\d \d{3} \d{6}$`).MatchString(phone) {
			t.Fatalf("a phone number became %q", phone)
		}
		if !raw.Lookup("active").Boolean() || raw.Lookup("since").Int32() != 2020 {
			t.Fatalf("what is kept changed: %s", text)
		}
		if i%100 > 0 { // FerretDB reads everything to count
			continue
		}
		n, err := db.Collection("orders").CountDocuments(t.Context(),
			bson.D{field("customer", raw.Lookup("email").StringValue())})
		if err != nil || n != 1 {
			t.Fatalf("%d orders belong to the masked customer: %v", n, err)
		}
	}
}

// maskRefusals checks that wrong masks are refused with the names of fields and without values.
func maskRefusals(t *testing.T, databases sluice.Databases) {
	f := newFixture(t, databases)
	with := func(rules ...string) sluice.Mask {
		m := people()
		for i := 0; i < len(rules); i += 2 {
			m[rules[i]] = rules[i+1]
		}
		maps.DeleteFunc(m, func(_, rule string) bool { return rule == "" })
		return m
	}
	for name, test := range map[string]struct {
		mask     sluice.Mask
		mentions []string
	}{
		"undeclared":    {with("customers.phone", "", "customers.notes.text", ""), []string{"customers.phone", "notes.text"}},
		"no field":      {with("customers.fax", "hash"), []string{"customers.fax"}},
		"no collection": {with("clients.name", "hash"), []string{"clients.name", "clients"}},
		"misfit":        {with("customers.active", "hash"), []string{"customers.active", "bool"}},
		"not a text":    {with("customers.score", "email"), []string{"customers.score", "long"}},
		"made alike":    {with("customers.phone", "empty"), []string{"customers", "unique"}},
	} {
		t.Run(name, func(t *testing.T) {
			const database = "refused"
			defer func() {
				if err := f.client.Database(database).Drop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}()
			f.put(t, database, "customers", customer(1), customer(2))
			f.put(t, database, "orders", order("o", field("customer", "person1@example.com"), field("total", 1)))
			f.createIndex(t, database, "customers", phones)
			_, err := f.open(t, database).(sluice.Masker).Mask(t.Context(), test.mask, []byte("key"), nil)
			if sluice.ErrorCode(err) != sluice.Failed || sluice.ErrorHint(err) == "" {
				t.Fatalf("got %v (%s)", err, sluice.ErrorHint(err))
			}
			for _, mention := range test.mentions {
				if !strings.Contains(err.Error(), mention) {
					t.Errorf("%v does not mention %s", err, mention)
				}
			}
			for _, value := range []string{"example.com", "Ada", "+49", "vip"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("%v holds a value", err)
				}
			}
		})
	}
}

// testRemnants looks into the files of a server that was masked and stopped: freed pages would still be copied.
func testRemnants(t *testing.T, databases sluice.Databases) {
	dir := t.TempDir()
	server, err := Start(t.Context(), "ferretdb-1.24", dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("mask", func(t *testing.T) { // disconnects at the end, so that the server stops cleanly
		f := fixtureOn(t, databases, server)
		f.put(t, "shop", "customers", customer(1), customer(2))
		f.put(t, "shop", "orders", order("o", field("customer", "person1@example.com"), field("total", 1)))
		if _, err := f.open(t, "shop").(sluice.Masker).Mask(t.Context(), people(), []byte("key"), nil); err != nil {
			t.Fatal(err)
		}
	})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		for _, was := range []string{"person1@example.com", "Main Street", "called twice"} {
			if bytes.Contains(content, []byte(was)) {
				t.Errorf("%s still holds %q", filepath.Base(path), was)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("looked at %d files: %v", files, err)
	}
}
