package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migratingEvery is how often a process checks whether another one still migrates.
const migratingEvery = 20 * time.Millisecond

// Migrate brings the schema up to date and returns the number of steps that it took. Several
// processes may call it at once: a lock on a file beside the store lets one run at a time,
// and the others find nothing to do. The lock ends with the process that holds it. Each step
// is a transaction of its own.
func (s *Store) Migrate(ctx context.Context) (steps int, err error) {
	return s.migrate(ctx, (*goose.Provider).Up)
}

// migrate runs the steps that up chooses.
func (s *Store) migrate(
	ctx context.Context, up func(*goose.Provider, context.Context) ([]*goose.MigrationResult, error),
) (steps int, err error) {
	lock := flock.New(s.path + ".migrating")
	if _, err := lock.TryLockContext(ctx, migratingEvery); err != nil {
		return 0, fmt.Errorf("migrate SQLite: wait for other processes: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, fmt.Errorf("migrate SQLite: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, dir,
		goose.WithAllowOutofOrder(true), // steps that were developed in parallel do not depend on each other
		goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: fillSearch}, nil)))
	if err != nil {
		return 0, fmt.Errorf("migrate SQLite: %w", err)
	}
	results, err := up(provider, ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate SQLite: %w", translate(err))
	}
	return len(results), nil
}

// fillSearch fills the columns for searches that step 2 added.
func fillSearch(ctx context.Context, tx *sql.Tx) error {
	n := 0
	for {
		var text []byte
		err := tx.QueryRowContext(ctx, `SELECT n, document FROM clients WHERE n > ? ORDER BY n LIMIT 1`, n).Scan(&n, &text)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		client, err := document.Decode(text, nil)
		if err != nil {
			return err
		}
		name, facets, err := searchColumns(document.SearchOf(client))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE clients SET name = ?, facets = ? WHERE n = ?`, name, facets, n); err != nil {
			return err
		}
	}
}

// searchColumns returns the name and the facets as the table stores them.
func searchColumns(s document.Search) (name, facets string, err error) {
	text, err := json.Marshal(s.Facets)
	return s.Name, string(text), err
}
