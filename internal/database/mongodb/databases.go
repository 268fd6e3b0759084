package mongodb

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/sluice-cd/sluice"
)

// patience is how long a server may take to answer, unless the URI says otherwise.
const patience = 5 * time.Second

// New returns the opener of MongoDB databases.
func New() sluice.Databases { return databases{} }

type databases struct{}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// Open connects and asks the server for its version. The URI MUST name the database.
func (databases) Open(ctx context.Context, uri string,
	dial func(ctx context.Context, network, address string) (net.Conn, error)) (sluice.Database, error) {
	opts, name, err := parse(uri)
	if err != nil {
		return nil, err
	}
	if dial != nil {
		opts.SetDialer(dialer(dial))
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the uri of database %s has options that exclude each other", name).
			WithHint("see https://www.mongodb.com/docs/manual/reference/connection-string/")
	}
	db := &database{client: client, db: client.Database(name), address: strings.Join(opts.Hosts, ","), lock: &lock{}}
	if db.version, db.ferret, err = db.ask(ctx); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx)) // the server did not answer
		return nil, err
	}
	return db, nil
}

// parse does not return the driver's error, because that may quote the password.
func parse(uri string) (*options.ClientOptions, string, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, "", sluice.Errorf(sluice.Invalid, "the uri of the database cannot be read").
			WithHint("write mongodb://host:port/database, with special characters in user and password as %%XX")
	}
	if cs.Database == "" {
		hosts := strings.Join(cs.Hosts, ",")
		return nil, "", sluice.Errorf(sluice.Invalid, "the uri does not say which database of %s to use", hosts).
			WithHint("end it with the name: mongodb://%s/<database>", hosts)
	}
	opts := options.Client().ApplyURI(uri).SetAppName("sluice")
	if !cs.ServerSelectionTimeoutSet {
		opts.SetServerSelectionTimeout(patience)
	}
	if cs.ReadPreference == "" {
		// A restored member of a replica set stands alone and never becomes primary.
		opts.SetReadPreference(readpref.PrimaryPreferred())
	}
	return opts, cs.Database, nil
}

// database implements sluice.Database and sluice.Ignorer.
type database struct {
	client  *mongo.Client
	db      *mongo.Database
	address string
	version string
	ferret  bool
	ignored []string
	lock    *lock
}

var _ sluice.Ignorer = (*database)(nil)

// Ignoring returns a view of the database whose Fingerprint and Compare ignore the names.
func (d *database) Ignoring(names []string) sluice.Database {
	view := *d
	view.ignored = slices.Clone(names)
	return &view
}

// Close ends the lock and closes the connection.
func (d *database) Close(ctx context.Context) error {
	if d.lock.isHeld() {
		if err := d.Unlock(ctx); err != nil {
			return err
		}
	}
	if err := d.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("close the connection to %s: %w", d.address, err)
	}
	return nil
}

// ask returns the server's version, and whether it is FerretDB.
func (d *database) ask(ctx context.Context) (version string, ferret bool, err error) {
	var info struct {
		Version  string  `bson:"version"`
		FerretDB *string `bson:"ferretdbVersion"`
	}
	if err := d.db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info); err != nil {
		return "", false, d.wrap(ctx, "open the database", err)
	}
	if info.FerretDB == nil {
		return info.Version, false, nil
	}
	if *info.FerretDB == "unknown" { // built without its version, as when it is embedded
		return info.Version + " (FerretDB)", true, nil
	}
	return "FerretDB " + *info.FerretDB, true, nil
}
