package datatest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
)

const somebody = "ada.lovelace@example.com"

// people puts customers and their orders into production.
func (r *rig) people(n int) {
	r.t.Helper()
	r.shop("production", func(ctx context.Context, db *mongo.Database) error {
		customers, orders := make([]any, n), make([]any, n)
		for i := range n {
			email := fmt.Sprintf("%d.%s", i, somebody)
			customers[i] = bson.D{
				{Key: "_id", Value: fmt.Sprintf("c%04d", i)}, {Key: "email", Value: email},
				{Key: "since", Value: int32(2000 + i%20)},
			}
			orders[i] = bson.D{
				{Key: "_id", Value: fmt.Sprintf("o%04d", i)}, {Key: "customer", Value: email}, {Key: "total", Value: 9.5},
			}
		}
		if _, err := db.Collection("customers").InsertMany(ctx, customers); err != nil {
			return err
		}
		unique := mongo.IndexModel{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true)}
		if _, err := db.Collection("customers").Indexes().CreateOne(ctx, unique); err != nil {
			return err
		}
		_, err := db.Collection("orders").InsertMany(ctx, orders)
		return err
	})
}

func masked() sluice.StepSpec {
	spec := migrating()
	spec.MigrateData.Mask = sluice.Mask{
		"customers.email": "email", "customers.since": "keep", "orders.customer": "email", "orders.total": "keep",
	}
	return spec
}

// TestMasked: production's data arrives in staging masked, once it is there everything of it is as if it had always
// been so, and no file in reach of staging or of later deployments holds what it was.
func TestMasked(t *testing.T) {
	r := newRig(t)
	r.deploy("production", "ferretdb:1.23.1")
	r.people(500)
	migrate, p := r.must("staging", "staging/before/1", masked())
	if !strings.Contains(p.Message, "masked are customers.email, orders.customer") {
		t.Errorf("the step says %q", p.Message)
	}
	r.must("staging", "staging/after/1", verifying("equal", "staging/before/1"))
	r.shop("staging", func(ctx context.Context, db *mongo.Database) error {
		var customer struct {
			Email string `bson:"email"`
			Since int32  `bson:"since"`
		}
		one := bson.D{{Key: "_id", Value: "c0003"}}
		if err := db.Collection("customers").FindOne(ctx, one).Decode(&customer); err != nil {
			return err
		}
		if !strings.HasSuffix(customer.Email, "@masked.invalid") || customer.Since != 2003 {
			t.Errorf("a customer arrived as %+v", customer)
		}
		its := bson.D{{Key: "_id", Value: "o0003"}, {Key: "customer", Value: customer.Email}}
		return db.Collection("orders").FindOne(ctx, its).Err()
	})
	for dir, want := range map[string]bool{"production": true, "staging": false} {
		if got := r.holds(dir); got != want {
			t.Errorf("the files of %s hold what is masked: %v", dir, got)
		}
	}
	c, err := r.store.Checkpoint(t.Context(), p.Result.Checkpoint)
	if err != nil || len(c.Masked) != 2 || documents(c) != 1000 {
		t.Errorf("the checkpoint is masked in %v with %d documents: %v", c.Masked, documents(c), err)
	}
	r.noScratch()
	if err := migrate.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func documents(c sluice.Checkpoint) (n int64) {
	for _, of := range c.Fingerprint.Collections {
		n += of.Count
	}
	return n
}

// holds reports whether a volume of the namespace has the address in any of its bytes.
func (r *rig) holds(namespace string) bool {
	r.t.Helper()
	found, seen := false, 0
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		separator := string(filepath.Separator)
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path, separator+namespace+separator) {
			return err
		}
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // the database tidies up meanwhile
		}
		seen++
		found = found || bytes.Contains(content, []byte(somebody))
		return err
	})
	if err != nil || seen == 0 {
		r.t.Fatalf("saw %d files of %s: %v", seen, namespace, err)
	}
	return found
}

// TestUndeclared: a field that nobody declared fails the migration by its name, and staging never sees any of it.
func TestUndeclared(t *testing.T) {
	r := newRig(t)
	r.deploy("production", "ferretdb:1.23.1")
	r.people(20)
	spec := masked()
	delete(spec.MigrateData.Mask, "customers.since")
	migrate, p, err := r.run("staging", "staging/before/1", spec)
	names := func(text string) bool { return strings.Contains(err.Error(), text) }
	if sluice.ErrorCode(err) != sluice.Failed || !names("customers.since") || names("200") {
		t.Fatalf("an undeclared field: %v", err)
	}
	if err := migrate.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Checkpoint(t.Context(), "d1-staging-before-1"); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("a checkpoint is listed: %v", err)
	}
	r.noScratch()
}
