package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Reach returns the version of the server that has the database. It changes nothing. The errors are those of [Open].
func Reach(ctx context.Context, address string) (version string, err error) {
	config, err := parse(address)
	if err != nil {
		return "", err
	}
	s := &Store{name: nameOf(config.ConnConfig)}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return "", s.storeError(ctx, err, "reach")
	}
	defer s.pool.Close()
	if err := s.checkServer(ctx); err != nil {
		return "", s.storeError(ctx, err, "reach")
	}
	err = s.pool.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return version, s.storeError(ctx, err, "reach")
}
