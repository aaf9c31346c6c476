package postgres

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// unavailable reports whether an error is temporary: the server reports a temporary error
// (see temporary), it cannot be connected to, the connection was lost, or the request has
// ended. Any other error of the driver, such as a value that it cannot encode or a column
// that it cannot scan, is a bug.
func unavailable(err error) bool {
	if _, failed := errors.AsType[*pgconn.ConnectError](err); failed {
		return true // whatever the server's reason is, such as a role that may not connect
	}
	if reported, ok := errors.AsType[*pgconn.PgError](err); ok {
		return temporary(reported.Code)
	}
	if _, failed := errors.AsType[net.Error](err); failed {
		return true
	}
	for _, cause := range []error{
		context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed, puddle.ErrClosedPool,
	} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}
