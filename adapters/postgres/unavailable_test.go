package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/application"
)

// asUser returns the URL of a database for another role.
func asUser(t *testing.T, database, role string) string {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	u.User = nil
	query := u.Query()
	query.Set("user", role)
	u.RawQuery = query.Encode()
	return u.String()
}

// raise returns a statement that fails with an error code of the server.
func raise(code string) string {
	return fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '%s'; END $$`, code)
}

// Temporary errors are [application.ErrUnavailable]; any other error is a bug. A real server
// causes all of them.
func TestOnlyTemporaryErrorsAreUnavailability(t *testing.T) {
	database := newDatabase(t, `CREATE TABLE things (n integer PRIMARY KEY, name text NOT NULL)`, `INSERT INTO things VALUES (1, 'one')`)
	admin := connect(t, database)
	exec := func(conn *pgx.Conn, statement string, args ...any) error {
		_, err := conn.Exec(t.Context(), statement, args...)
		return err
	}
	statement := func(statement string, args ...any) func(t *testing.T) error {
		return func(t *testing.T) error { t.Helper(); return exec(connect(t, database), statement, args...) }
	}
	connecting := func(to string) func(t *testing.T) error {
		return func(t *testing.T) error {
			t.Helper()
			conn, err := pgx.Connect(t.Context(), to)
			if err == nil {
				_ = conn.Close(t.Context())
			}
			return err
		}
	}
	const temporary, permanent = true, false
	tests := []struct {
		name      string
		temporary bool
		err       func(t *testing.T) error
	}{
		{"the backend is ended during a statement", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			failed := make(chan error, 1)
			go func() { failed <- exec(conn, `SELECT pg_sleep(60)`) }()
			require.Eventually(t, func() bool {
				var ended bool
				err := admin.QueryRow(t.Context(), `
					SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%pg_sleep%'`,
					conn.PgConn().PID()).Scan(&ended)
				return err == nil && ended
			}, time.Minute, time.Millisecond)
			return <-failed
		}},
		{"the backend was ended between statements", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			require.NoError(t, exec(admin, `SELECT pg_terminate_backend($1, 60000)`, int64(conn.PgConn().PID())))
			return exec(conn, `SELECT 1`)
		}},
		{"a connection that was lost is used again", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			require.NoError(t, exec(admin, `SELECT pg_terminate_backend($1, 60000)`, int64(conn.PgConn().PID())))
			require.Error(t, exec(conn, `SELECT 1`))
			return exec(conn, `SELECT 1`)
		}},
		{"the socket is closed in this process", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			require.NoError(t, conn.PgConn().Conn().Close())
			return exec(conn, `SELECT 1`)
		}},
		{"the context is canceled during a statement", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			limited, cancel := context.WithCancel(t.Context())
			go cancel()
			_, err := conn.Exec(limited, `SELECT pg_sleep(60)`)
			return err
		}},
		{"the deadline passes during a statement", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			limited, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			_, err := conn.Exec(limited, `SELECT pg_sleep(60)`)
			return err
		}},
		{"the context ended before", temporary, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := conn.Exec(ended, `SELECT 1`)
			return err
		}},
		{"the pool is closed", temporary, func(t *testing.T) error {
			t.Helper()
			pool, err := pgxpool.New(t.Context(), database)
			require.NoError(t, err)
			pool.Close()
			_, err = pool.Exec(t.Context(), `SELECT 1`)
			return err
		}},
		{"statement_timeout", temporary, func(t *testing.T) error {
			t.Helper()
			return exec(connect(t, withParameter(t, database, "statement_timeout", "5ms")), `SELECT pg_sleep(60)`)
		}},
		{"lock_timeout", temporary, func(t *testing.T) error {
			t.Helper()
			require.NoError(t, exec(admin, `SELECT pg_advisory_lock(1)`))
			defer func() { assert.NoError(t, exec(admin, `SELECT pg_advisory_unlock(1)`)) }()
			return exec(connect(t, withParameter(t, database, "lock_timeout", "5ms")), `SELECT pg_advisory_lock(1)`)
		}},
		{"a read-only transaction, as after a failover", temporary, func(t *testing.T) error {
			t.Helper()
			return exec(connect(t, withParameter(t, database, "default_transaction_read_only", "on")), `INSERT INTO things VALUES (2, 'two')`)
		}},
		{"no server at this socket", temporary, connecting("postgres:///x?host=" + t.TempDir())},
		{"no server at this address", temporary, connecting("postgres://127.0.0.1:1/x?sslmode=disable")},
		{"no host of this name", temporary, connecting("postgres://no-such-host.invalid/x")},
		{"no such database", temporary, connecting(server.URL("no_such_database"))},
		{"no such role", temporary, connecting(asUser(t, database, "no_such_role"))},
		{"a role that may not log in", temporary, func(t *testing.T) error {
			t.Helper()
			require.NoError(t, exec(admin, `CREATE ROLE no_login NOLOGIN`))
			return connecting(asUser(t, database, "no_login"))(t)
		}},
		{"a role that may not connect", temporary, func(t *testing.T) error {
			t.Helper()
			require.NoError(t, exec(admin, `CREATE ROLE no_connect LOGIN`))
			require.NoError(t, exec(admin, `DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$`))
			return connecting(asUser(t, database, "no_connect"))(t)
		}},
		{"too many connections", temporary, func(t *testing.T) error {
			t.Helper()
			require.NoError(t, exec(admin, `CREATE ROLE crowded LOGIN CONNECTION LIMIT 0`))
			require.NoError(t, exec(admin, `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO crowded', current_database()); END $$`))
			return connecting(asUser(t, database, "crowded"))(t)
		}},
		{"deadlock", temporary, statement(raise("40P01"))},
		{"serialization failure", temporary, statement(raise("40001"))},
		{"disk full", temporary, statement(raise("53100"))},
		{"out of memory", temporary, statement(raise("53200"))},
		{"crash of another backend", temporary, statement(raise("57P02"))},
		{"I/O error", temporary, statement(raise("58030"))},

		{"a column of another type", permanent, func(t *testing.T) error {
			t.Helper()
			var n int
			return connect(t, database).QueryRow(t.Context(), `SELECT name FROM things`).Scan(&n)
		}},
		{"another number of columns", permanent, func(t *testing.T) error {
			t.Helper()
			var n int
			return connect(t, database).QueryRow(t.Context(), `SELECT n, name FROM things`).Scan(&n)
		}},
		{"NULL where a value belongs", permanent, func(t *testing.T) error {
			t.Helper()
			var n int
			return connect(t, database).QueryRow(t.Context(), `SELECT NULL::int`).Scan(&n)
		}},
		{"a value that cannot be encoded", permanent, statement(`SELECT $1::int`, make(chan int))},
		{"too few values", permanent, statement(`SELECT $1::int, $2::int`, 1)},
		{"no text", permanent, statement(`SELECT $1::text`, "a\x00b")},
		{"unique violation", permanent, statement(`INSERT INTO things VALUES (1, 'again')`)},
		{"not null violation", permanent, statement(`INSERT INTO things VALUES (3, NULL)`)},
		{"no such table", permanent, statement(`SELECT * FROM no_such_table`)},
		{"no such column", permanent, statement(`SELECT nothing FROM things`)},
		{"syntax error", permanent, statement(`SELEC`)},
		{"division by zero", permanent, statement(`SELECT 1 / 0`)},
		{"no permission", permanent, func(t *testing.T) error {
			t.Helper()
			conn := connect(t, database)
			execute(t, conn, `CREATE ROLE no_rights`, `SET ROLE no_rights`)
			return exec(conn, `SELECT * FROM things`)
		}},
		{"internal error", permanent, statement(raise("XX000"))},
		{"a closed transaction", permanent, func(t *testing.T) error {
			t.Helper()
			tx, err := connect(t, database).Begin(t.Context())
			require.NoError(t, err)
			require.NoError(t, tx.Rollback(t.Context()))
			return tx.Commit(t.Context())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.err(t)
			require.Error(t, err)
			translated := postgres.Translate(err)
			assert.Equal(t, tt.temporary, errors.Is(translated, application.ErrUnavailable), "%T %v", err, err)
			require.ErrorIs(t, translated, err, "the cause is kept, for the log")
		})
	}
}

func TestADatabaseThatAcceptsNoConnectionsIsUnavailable(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	require.NoError(t, store.Commit(t.Context(), newRevision(t, tenant, "app")))
	u, err := url.Parse(database)
	require.NoError(t, err)
	name := u.Path[1:]
	admin := connect(t, server.URL("postgres"))
	execute(t, admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`,
		`SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '`+name+`'`)
	_, err = store.Find(t.Context(), tenant, "app")
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.ErrorIs(t, store.Ping(t.Context()), application.ErrUnavailable)
	require.ErrorIs(t, store.Commit(t.Context(), newRevision(t, tenant, "other")), application.ErrUnavailable)
	execute(t, admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
	_, err = store.Find(t.Context(), tenant, "app")
	require.NoError(t, err)
}

// A column of another type is a bug, not an outage.
func TestAValueThatCannotBeScannedIsNotUnavailability(t *testing.T) {
	store := open(t, newDatabase(t, `ALTER TABLE secret_uses ALTER last_used_at TYPE text`, `INSERT INTO secret_uses VALUES ('tenant_a', 'app', 's', 'noon')`,
		`ALTER TABLE idempotency_records ALTER revision TYPE text`, `INSERT INTO idempotency_records VALUES ('tenant_a', 'x', 'k', '', now(), 'app', 'one', '')`))
	_, err := store.SecretUses(t.Context(), tenant, "app")
	require.Error(t, err)
	require.NotErrorIs(t, err, application.ErrUnavailable)
	_, err = store.FindIdempotencyRecord(t.Context(), tenant, "x", "k")
	require.Error(t, err)
	require.NotErrorIs(t, err, application.ErrUnavailable)
}
