package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-cd/sluice"
)

func TestErrorsOfTheServer(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want sluice.Code
	}{
		{t.Context(), &pgconn.PgError{Code: "53100"}, sluice.Exhausted},
		{t.Context(), fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: "53100"}), sluice.Exhausted},
		{t.Context(), &pgconn.PgError{Code: "53200"}, sluice.Exhausted},
		{t.Context(), &pgconn.PgError{Code: "53300"}, sluice.Unavailable},
		{t.Context(), &pgconn.PgError{Code: "57P01"}, sluice.Unavailable},
		{t.Context(), &pgconn.PgError{Code: "57P03"}, sluice.Unavailable},
		{t.Context(), &pgconn.PgError{Code: "08006"}, sluice.Unavailable},
		{t.Context(), &pgconn.PgError{Code: "28P01"}, sluice.Unauthenticated},
		{t.Context(), &pgconn.PgError{Code: "40001"}, sluice.Conflict},
		{t.Context(), &pgconn.PgError{Code: "25006"}, sluice.Unavailable},
		{t.Context(), &pgconn.PgError{Code: "42601"}, sluice.Internal},
		{ended, io.ErrUnexpectedEOF, sluice.Cancelled},
		{t.Context(), io.ErrUnexpectedEOF, sluice.Unavailable},
		{t.Context(), context.DeadlineExceeded, sluice.Unavailable},
		{t.Context(), sluice.Errorf(sluice.NotFound, "as it is"), sluice.NotFound},
	} {
		err := (&Store{name: "n"}).storeError(test.ctx, test.err, "read")
		if got := sluice.ErrorCode(err); got != test.want {
			t.Errorf("%v is %q, want %q", test.err, got, test.want)
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok {
			t.Errorf("the error of the driver is still there: %v", e)
		}
	}
}
