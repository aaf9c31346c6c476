package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// lockPoll is how often a replica tries to get the lock for migrations. It does not wait
// inside the server, because a waiting statement would block others.
const lockPoll = 100 * time.Millisecond

// migrationDB returns the connections for migrations: direct ones if a direct URL is set.
func (s *Store) migrationDB() *sql.DB {
	if s.route.direct != nil {
		return stdlib.OpenDB(*s.route.direct)
	}
	return stdlib.OpenDBFromPool(s.pool)
}

// migrationLock returns how migrations exclude those of other processes. On direct
// connections goose does it, with a lock of its session. Through a pooler there is no such
// session; see poolerLock.
func (s *Store) migrationLock(
	ctx context.Context,
) (exclusively func(ctx context.Context, do func() error) error, options []goose.ProviderOption, err error) {
	behindPooler := false
	if s.route.direct == nil {
		if behindPooler, err = s.route.findPooler(ctx, s.pool.Config().ConnConfig); err != nil {
			return nil, nil, err
		}
	}
	if behindPooler {
		return s.poolerLock, nil, nil
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, nil, err
	}
	return func(_ context.Context, do func() error) error { return do() }, []goose.ProviderOption{goose.WithSessionLocker(locker)}, nil
}

// poolerLock runs a function while no other process migrates this database. The lock
// belongs to a transaction, on a connection of its own, because a pooler in transaction
// mode may run each transaction of a session on a different connection. It has the number
// of goose's lock, so that the two exclude each other.
func (s *Store) poolerLock(ctx context.Context, do func() error) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // ends the transaction
	for {
		locked, err := tryLock(ctx, conn)
		if err != nil {
			return err
		}
		if locked {
			return do()
		}
		timer := time.NewTimer(lockPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// tryLock begins a transaction that holds the lock for migrations, unless another one
// holds it. It disables the server's timeouts for this transaction, which stays idle.
func tryLock(ctx context.Context, conn *pgx.Conn) (locked bool, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	const withoutTimeout = `
		SELECT set_config(name, '0', true) FROM pg_settings
		WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')`
	if _, err := tx.Exec(ctx, withoutTimeout); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, pgx.QueryExecModeExec, lock.DefaultLockID).Scan(&locked)
	if err != nil || locked {
		return locked, err
	}
	return false, tx.Rollback(ctx)
}
