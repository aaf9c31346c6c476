package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
)

// Temporary errors are [application.ErrUnavailable]; any other error is a bug. SQLite and
// database/sql cause all of them.
func TestOnlyTemporaryErrorsAreUnavailability(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	openFile := func(t *testing.T, path string, parameters url.Values) *sql.DB {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+path+"?"+parameters.Encode())
		require.NoError(t, err)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	exec := func(db *sql.DB, statement string, args ...any) error {
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	}
	require.NoError(t, exec(openFile(t, path, nil), `
		CREATE TABLE things (n INTEGER PRIMARY KEY, name TEXT NOT NULL); INSERT INTO things VALUES (1, 'one')`))
	statement := func(statement string, args ...any) func(t *testing.T) error {
		return func(t *testing.T) error { t.Helper(); return exec(openFile(t, path, nil), statement, args...) }
	}
	const temporary, permanent = true, false
	const endless = `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r`
	tests := []struct {
		name      string
		temporary bool
		err       func(t *testing.T) error
	}{
		{"another process writes", temporary, func(t *testing.T) error {
			t.Helper()
			require.NoError(t, exec(openFile(t, path, nil), `BEGIN IMMEDIATE`))
			return exec(openFile(t, path, nil), `BEGIN IMMEDIATE`)
		}},
		{"a read-only file", temporary, func(t *testing.T) error {
			t.Helper()
			return exec(openFile(t, path, url.Values{"mode": {"ro"}}), `INSERT INTO things VALUES (2, 'two')`)
		}},
		{"no such folder", temporary, func(t *testing.T) error {
			t.Helper()
			return exec(openFile(t, filepath.Join(t.TempDir(), "missing", "x.db"), nil), `SELECT 1`)
		}},
		{"no room", temporary, func(t *testing.T) error {
			t.Helper()
			db := openFile(t, filepath.Join(t.TempDir(), "x.db"), nil)
			require.NoError(t, exec(db, `PRAGMA max_page_count = 2`))
			return exec(db, `CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x); CREATE TABLE d (x)`)
		}},
		{"the context is canceled during a statement", temporary, func(t *testing.T) error {
			t.Helper()
			limited, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			defer cancel()
			var n int
			return openFile(t, path, nil).QueryRowContext(limited, endless).Scan(&n)
		}},
		{"the context ended before", temporary, func(t *testing.T) error {
			t.Helper()
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := openFile(t, path, nil).ExecContext(ended, `SELECT 1`)
			return err
		}},
		{"the context of a transaction ended between statements", temporary, func(t *testing.T) error {
			t.Helper()
			limited, cancel := context.WithCancel(ctx)
			tx, err := openFile(t, path, nil).BeginTx(limited, nil)
			require.NoError(t, err)
			cancel()
			for err == nil || !errors.Is(err, sql.ErrTxDone) { // until database/sql has noticed
				_, err = tx.ExecContext(ctx, `SELECT 1`)
			}
			return err
		}},
		{"a connection that was returned", temporary, func(t *testing.T) error {
			t.Helper()
			conn, err := openFile(t, path, nil).Conn(ctx)
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			return conn.PingContext(ctx)
		}},

		{"a column of another type", permanent, func(t *testing.T) error {
			t.Helper()
			var n int
			return openFile(t, path, nil).QueryRowContext(ctx, `SELECT name FROM things`).Scan(&n)
		}},
		{"NULL where a value belongs", permanent, func(t *testing.T) error {
			t.Helper()
			var n int
			return openFile(t, path, nil).QueryRowContext(ctx, `SELECT NULL`).Scan(&n)
		}},
		{"another number of columns", permanent, func(t *testing.T) error {
			t.Helper()
			var n int
			return openFile(t, path, nil).QueryRowContext(ctx, `SELECT n, name FROM things`).Scan(&n)
		}},
		{"a value that cannot be bound", permanent, statement(`SELECT ?`, make(chan int))},
		{"unique violation", permanent, statement(`INSERT INTO things VALUES (1, 'again')`)},
		{"not null violation", permanent, statement(`INSERT INTO things VALUES (3, NULL)`)},
		{"no such table", permanent, statement(`SELECT * FROM no_such_table`)},
		{"syntax error", permanent, statement(`SELEC`)},
		{"a file that is no database", permanent, func(t *testing.T) error {
			t.Helper()
			return exec(openFile(t, "unavailable_test.go", url.Values{"mode": {"ro"}}), `SELECT * FROM sqlite_master`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.err(t)
			require.Error(t, err)
			translated := sqlite.Translate(err)
			assert.Equal(t, tt.temporary, errors.Is(translated, application.ErrUnavailable), "%T %v", err, err)
			require.ErrorIs(t, translated, err, "the cause is kept, for the log")
		})
	}
}
