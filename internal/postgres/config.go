package postgres

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sluice-cd/sluice"
)

const (
	connecting = 5 * time.Second  // how long it may take to connect, unless the address says otherwise
	farewell   = time.Second      // how long a server may take to end a connection
	reading    = 30 * time.Second // how long a page may take to read
	writing    = 15 * time.Second // how long a transaction may take, the waiting for others included

	// The append lock keeps every server waiting. A process that holds it and is stopped, or was cut off from the
	// database, loses it after holding; others wait for longer than that.
	holding = 5 * time.Second
	locking = 10 * time.Second
)

// parse reads the address of a database. No error repeats any part of it: what cannot be read may hold a password at
// any place.
func parse(address string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil || isMisread(address, c) {
		return nil, sluice.Errorf(sluice.Invalid, "the address of the store's database cannot be read").
			WithHint("write it as postgres://user:password@host:5432/database; " +
				"in a password write %%40 for @, %%3A for :, %%2F for /, %%3F for ? and %%23 for #")
	}
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = connecting
	}
	if c.ConnConfig.RuntimeParams["application_name"] == "" {
		c.ConnConfig.RuntimeParams["application_name"] = "sluice"
	}
	c.PingTimeout = connecting
	c.AfterConnect = prepare
	return c, nil
}

var parameter = regexp.MustCompile(`^[A-Za-z0-9_.]+$`)

// isMisread reports whether a ? or # of a password was taken for the end of the host, so that a part of the password is
// taken for the port.
func isMisread(address string, c *pgxpool.Config) bool {
	for name := range c.ConnConfig.RuntimeParams {
		if !parameter.MatchString(name) {
			return true
		}
	}
	u, err := url.Parse(address)
	return err == nil && u.Scheme != "" && u.Fragment != ""
}

// nameOf names a database in errors.
func nameOf(c *pgx.ConnConfig) string {
	if strings.HasPrefix(c.Host, "/") {
		return c.Host + "/" + c.Database
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// prepare sets what every session needs. A commit waits for the disk whatever the database's default is; the stronger
// settings of a replicated database stay.
func prepare(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config('lock_timeout', $1, false),
		set_config('idle_in_transaction_session_timeout', $2, false),
		set_config('client_connection_check_interval', '2s', false),
		set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false)`,
		milliseconds(locking), milliseconds(holding))
	return err
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
