package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATE codes (PostgreSQL, appendix A) of transactions that the server
// stopped because of what other transactions do.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03" // lock_timeout
	queryCanceled        = "57014" // statement_timeout; a request that is cancelled ends with the context's error
)

// How often a transaction is tried that conflicts with others, and the pause after
// the first try, which doubles each time.
const (
	conflictTries = 6
	conflictPause = 4 * time.Millisecond
)

// retry repeats a transaction that the server rolled back because it conflicted
// with another one: it had no effect, so a repetition cannot do anything twice. A
// transaction whose outcome is unknown, as when the connection is lost, is not
// repeated.
func retry(ctx context.Context, transaction func() error) error {
	pause := conflictPause
	for try := 1; ; try++ {
		err := transaction()
		if !conflicted(err) || try == conflictTries {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // only to part those that met
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause *= 2
	}
}

// conflicted reports whether the server rolled a transaction back because of a
// deadlock or a serialization failure.
func conflicted(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failed.Code == deadlockDetected || failed.Code == serializationFailure)
}

// stopsAll reports whether the error of a batch may be the fault of one of its
// entries, or of the transaction that this one had to wait for, so that the others
// succeed by themselves. The server has rolled the batch back.
func stopsAll(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch failed.Code {
	case serializationFailure, deadlockDetected, lockNotAvailable, queryCanceled:
		return true
	default:
		return !temporary(failed.Code)
	}
}
