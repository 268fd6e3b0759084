package dataset

import (
	"cmp"
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Read opens the database and reads all of it.
func (d Dataset) Read(ctx context.Context, message string) (f sluice.Fingerprint, err error) {
	if d.Spec.Engine == EngineFiles {
		return sluice.Fingerprint{Engine: EngineFiles, Version: EngineFiles, TakenAt: d.Now()}, nil
	}
	err = d.with(ctx, func(db sluice.Database) error {
		f, err = db.Fingerprint(ctx, d.Spec.Invariants, d.say(message))
		return err
	})
	return f, err
}

// with opens the database for as long as use takes.
func (d Dataset) with(ctx context.Context, use func(sluice.Database) error) error {
	return d.through(ctx, d.reader, use)
}

// through opens the database by what opener returns.
func (d Dataset) through(
	ctx context.Context, opener func(context.Context) (sluice.Databases, func() error, error),
	use func(sluice.Database) error,
) (err error) {
	uri, err := d.URI(ctx)
	if err != nil {
		return err
	}
	databases, leave, err := opener(ctx)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, leave()) }()
	db, err := databases.Open(ctx, uri, d.dial)
	if err != nil {
		return err
	}
	err = use(db)
	if closed := db.Close(context.WithoutCancel(ctx)); err == nil && closed != nil {
		return closed
	}
	return err
}

// Server describes the database's server. It reads no data, so this process asks. Unsupported if the engine cannot say.
func (d Dataset) Server(ctx context.Context) (server sluice.Server, err error) {
	d.Beside = nil
	err = d.with(ctx, func(db sluice.Database) error {
		describer, ok := db.(sluice.Describer)
		if !ok {
			return sluice.Errorf(sluice.Unsupported, "databases of the engine %q cannot describe their server", d.Spec.Engine)
		}
		server, err = describer.Describe(ctx)
		return err
	})
	return server, err
}

// dial reaches only Services of the dataset's own namespace: a copy must not reach what it was copied from.
func (d Dataset) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	there, err := d.Place.Account.Address(ctx, d.Place.Namespace, serviceOf(host), number)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, there)
}

// services returns the Services that the database's address names.
func (d Dataset) services(ctx context.Context) ([]string, error) {
	uri, err := d.URI(ctx)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, host := range hostsOf(uri) {
		list = append(list, serviceOf(host))
	}
	return list, nil
}

// serviceOf returns the Service in mongo, mongo.shop and mongo.shop.svc.cluster.local.
func serviceOf(host string) string {
	service, _, _ := strings.Cut(host, ".")
	return service
}
