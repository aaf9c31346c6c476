package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"
)

// lockPoll is how often a replica tries again to be the one that migrates. It does not
// wait inside the server, where its statement would hold back other ones.
const lockPoll = 100 * time.Millisecond

// migrationDB returns the connections for migrations: direct ones if there are any.
func (s *Store) migrationDB() *sql.DB {
	if s.route.direct != nil {
		return stdlib.OpenDB(*s.route.direct)
	}
	return stdlib.OpenDBFromPool(s.pool)
}

// exclusively runs a function while no other process does so on this database. The lock
// belongs to a transaction, on a connection of its own, because a pooler in
// transaction mode gives the other statements of a session to other connections. Its
// number is that of goose, by which earlier releases exclude each other.
func (s *Store) exclusively(ctx context.Context, do func() error) error {
	config := s.route.direct
	if config == nil {
		config = s.pool.Config().ConnConfig
	}
	conn, err := pgx.ConnectConfig(ctx, config)
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

// tryLock begins a transaction that has the lock for migrations, unless another one
// has it. No timeout of the server ends the transaction, which does nothing.
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
