package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
)

var _ sluice.Describer = (*database)(nil)

// Describe implements [sluice.Describer].
func (d *database) Describe(ctx context.Context) (sluice.Server, error) {
	format, err := d.format(ctx)
	if err != nil {
		return sluice.Server{}, err
	}
	others, err := d.others(ctx)
	if sluice.ErrorCode(err) == sluice.Denied {
		err = nil
	}
	return sluice.Server{Version: d.version, Format: format, Others: others}, err
}

// format returns the featureCompatibilityVersion. FerretDB has none, whatever it answers.
func (d *database) format(ctx context.Context) (string, error) {
	if d.ferret {
		return "", nil
	}
	var parameter struct {
		Format struct {
			Version string `bson:"version"`
		} `bson:"featureCompatibilityVersion"`
	}
	command := bson.D{{Key: "getParameter", Value: 1}, {Key: "featureCompatibilityVersion", Value: 1}}
	err := d.client.Database("admin").RunCommand(ctx, command).Decode(&parameter)
	if _, answered := answerIn(err); answered {
		return "", nil // the login may not ask, or the server has none, as a mongos
	}
	return parameter.Format.Version, d.wrap(ctx, "read the feature compatibility version", err)
}

// others returns the databases of users besides this one, sorted.
func (d *database) others(ctx context.Context) ([]string, error) {
	names, err := d.client.ListDatabaseNames(ctx, bson.D{})
	if err != nil {
		return nil, d.wrap(ctx, "list the databases", err)
	}
	others := slices.DeleteFunc(names, func(name string) bool {
		return slices.Contains([]string{"admin", "config", "local", d.db.Name()}, name)
	})
	slices.Sort(others)
	return others, nil
}
