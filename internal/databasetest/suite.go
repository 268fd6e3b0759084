package databasetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// Suite checks an implementation of [sluice.Databases] that reads MongoDB against a real server: that it finds every
// difference and no others, that it masks completely, that its memory stays bounded, and how it reports refusals.
func Suite(t *testing.T, databases sluice.Databases) {
	t.Run("Differences", func(t *testing.T) { testDifferences(t, databases) })
	t.Run("Collections", func(t *testing.T) { testCollections(t, databases) })
	t.Run("Invariants", func(t *testing.T) { testInvariants(t, databases) })
	t.Run("Masking", func(t *testing.T) { testMasking(t, databases) })
	t.Run("Server", func(t *testing.T) { testServer(t, databases) })
	t.Run("Refusals", func(t *testing.T) { testRefusals(t, databases) })
	t.Run("Large", func(t *testing.T) { testLarge(t, databases) })
}

// A fixture is one server and a client that fills it.
type fixture struct {
	server    *Server
	client    *mongo.Client
	databases sluice.Databases
}

func newFixture(t *testing.T, databases sluice.Databases) fixture {
	t.Helper()
	return fixtureOn(t, databases, startServer(t, t.TempDir()))
}

func fixtureOn(t *testing.T, databases sluice.Databases, server *Server) fixture {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI("")))
	must(t, err)
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return fixture{server: server, client: client, databases: databases}
}

func (f fixture) open(t *testing.T, database string, ignore ...string) sluice.Database {
	t.Helper()
	db, err := f.databases.Open(t.Context(), f.server.URI(database), nil)
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if len(ignore) == 0 {
		return db
	}
	return db.(sluice.Ignorer).Ignoring(ignore)
}

// put creates the collection with the documents.
func (f fixture) put(t *testing.T, database, collection string, documents ...bson.D) {
	t.Helper()
	must(t, f.client.Database(database).CreateCollection(t.Context(), collection))
	if len(documents) == 0 {
		return
	}
	if _, err := f.client.Database(database).Collection(collection).InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
}

// index makes an index of the collection orders.
func (f fixture) index(t *testing.T, database, name string, keys bson.D) {
	t.Helper()
	f.createIndex(t, database, "orders", mongo.IndexModel{Keys: keys, Options: options.Index().SetName(name)})
}

func (f fixture) createIndex(t *testing.T, database, collection string, model mongo.IndexModel) {
	t.Helper()
	if _, err := f.client.Database(database).Collection(collection).Indexes().CreateOne(t.Context(), model); err != nil {
		t.Fatal(err)
	}
}

func fingerprintOf(t *testing.T, db sluice.Database, invariants ...sluice.Invariant) sluice.Fingerprint {
	t.Helper()
	f, err := db.Fingerprint(t.Context(), invariants, nil)
	must(t, err)
	return f
}

// compare fingerprints and compares both databases, and checks that fingerprints and comparison agree on whether there
// is a difference.
func (f fixture) compare(t *testing.T, was, now string, limit int, ignore ...string) sluice.Comparison {
	t.Helper()
	before, after := f.open(t, was), f.open(t, now, ignore...)
	wasPrint, nowPrint := fingerprintOf(t, before), fingerprintOf(t, after)
	comparison, err := after.Compare(t.Context(), nowPrint, before, wasPrint, limit)
	must(t, err)
	found := len(comparison.Collections) > 0
	if differ := fingerprint.Differ(wasPrint, nowPrint, ignore); len(ignore) == 0 && differ != found {
		t.Errorf("the fingerprints differ: %v, but the comparison found something: %v", differ, found)
	}
	return comparison
}

func check(t *testing.T, reason string, got sluice.Comparison, want ...sluice.CollectionComparison) {
	t.Helper()
	if diff := cmp.Diff(sluice.Comparison{Collections: want}, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

// must fails the test if err is set.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
