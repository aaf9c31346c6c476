package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATE codes (PostgreSQL, appendix A) of statements that the server stops because
// of other transactions.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03" // lock_timeout
	queryCanceled        = "57014" // statement_timeout; a request that is canceled ends with the context's error
)

// How often a transaction is tried that conflicts with others, and the delay after the
// first try, which doubles each time.
const (
	conflictTries = 6
	conflictDelay = 4 * time.Millisecond
)

// retry repeats a transaction that the server rolled back because it conflicted with
// another one. The transaction had no effect, so the repetition cannot do anything twice.
// A transaction whose outcome is unknown, for example because the connection was lost, is
// not repeated.
func retry(ctx context.Context, transaction func() error) error {
	delay := conflictDelay
	for try := 1; ; try++ {
		err := transaction()
		if !conflicted(err) || try == conflictTries {
			return err
		}
		timer := time.NewTimer(delay/2 + rand.N(delay)) //nolint:gosec // only separates transactions that conflict
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		delay *= 2
	}
}

// conflicted reports whether the server rolled a transaction back because of a
// deadlock or a serialization failure.
func conflicted(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failed.Code == deadlockDetected || failed.Code == serializationFailure)
}

// failsAlone reports whether the error of a batch may concern only one of its revisions,
// or a lock that only this one needs, so that the others succeed in transactions of their
// own. The server has rolled the batch back.
func failsAlone(err error) bool {
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
