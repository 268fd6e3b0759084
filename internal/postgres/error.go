package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-cd/sluice"
)

// storeError turns an error of the driver into an Error that says what to do. An Error stays as it is. The cause is
// kept as text only, because some errors of the driver carry the address of the database with its password. ctx is that
// of the caller; only if it has ended the caller wanted the call to end.
func (s *Store) storeError(ctx context.Context, err error, verb string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return e
	}
	v := classify(ctx, err)
	if s.closed.Load() {
		v = verdict{code: sluice.Cancelled}
	}
	e := sluice.Errorf(v.code, "%s store %s: %s", verb, s.name, strings.Join(strings.Fields(err.Error()), " "))
	if v.hint != "" {
		e = e.WithHint("%s", v.hint)
	}
	return e
}

// A verdict says what kind of failure it is and what the user can do about it.
type verdict struct {
	code sluice.Code
	hint string
}

func classify(ctx context.Context, err error) verdict {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyState(e.Code)
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return verdict{sluice.Cancelled, ""}
	case ctx.Err() != nil:
		return verdict{sluice.Exhausted, "the time for this was too short; try again"}
	}
	return away // whatever else the driver says, it says about the connection
}

var errClosed = errors.New("the store is closed")

var (
	away     = verdict{sluice.Unavailable, "check that the database runs and can be reached; it is tried again"}
	busy     = verdict{sluice.Unavailable, "the database is busy; it is tried again"}
	full     = verdict{sluice.Exhausted, "make room for the database, then run the same command again; nothing is lost"}
	invalid  = verdict{sluice.Invalid, "the database cannot hold this text or a text as long as this; change it"}
	damaged  = verdict{sluice.Invalid, "restore the database from a backup, or name an empty one"}
	refused  = verdict{sluice.Unauthenticated, "check the user and the password of the database"}
	overrun  = verdict{sluice.Conflict, "another process wrote at the same time; read it again"}
	standby  = verdict{sluice.Unavailable, "the database takes no changes: name the primary, not a standby"}
	noRight  = verdict{sluice.Denied, "make the user the owner of the database"}
	absent   = verdict{sluice.NotFound, "create the database, or correct its name in the address"}
	scarce   = verdict{sluice.Exhausted, "give the database more of what it lacks"}
	crowded  = verdict{sluice.Unavailable, "allow the database more connections; it is tried again"}
	internal = verdict{sluice.Internal, ""}
)

// states maps SQLSTATEs to verdicts: five characters are one state, two are a class.
var states = map[string]verdict{
	"08":    away,    // connection_exception
	"22021": invalid, // character_not_in_repertoire
	"22P05": invalid, // untranslatable_character
	"23505": overrun, // unique_violation
	"25006": standby, // read_only_sql_transaction
	"25P03": busy,    // idle_in_transaction_session_timeout
	"28":    refused, // invalid_authorization
	"3D000": absent,  // invalid_catalog_name
	"40001": overrun, // serialization_failure
	"40P01": busy,    // deadlock_detected
	"42501": noRight, // insufficient_privilege
	"42P01": damaged, // undefined_table
	"42703": damaged, // undefined_column
	"53":    scarce,  // insufficient_resources
	"53100": full,    // disk_full
	"53300": crowded, // too_many_connections
	"54000": invalid, // program_limit_exceeded
	"55P03": busy,    // lock_not_available
	"57":    away,    // operator_intervention: shutdown, crash, start
	"57014": busy,    // query_canceled
	"58":    away,    // system_error
	"XX001": damaged, // data_corrupted
	"XX002": damaged, // index_corrupted
}

// classifyState looks a SQLSTATE up, then its class.
func classifyState(state string) verdict {
	if v, ok := states[state]; ok {
		return v
	}
	if v, ok := states[state[:min(2, len(state))]]; ok {
		return v
	}
	return internal
}
