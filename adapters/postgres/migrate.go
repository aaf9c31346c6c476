package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date and returns the number of steps that it took. It
// also prepares the feed of a database that was loaded from a dump, see rebaseFeed.
// Several replicas may call it at once: an advisory lock lets one run at a time, and the
// others find nothing to do. Each step is a transaction of its own.
func (s *Store) Migrate(ctx context.Context) (steps int, err error) {
	if err := s.checkEngine(ctx); err != nil {
		return 0, err
	}
	err = retry(ctx, func() error { // a step takes locks that requests hold as well
		steps, err = s.migrate(ctx, (*goose.Provider).Up)
		return err
	})
	if err != nil {
		return steps, err
	}
	if err := s.rebaseFeed(ctx); err != nil {
		return steps, fmt.Errorf("migrate PostgreSQL: %w", translate(err))
	}
	return steps, nil
}

// migrate runs the steps that up chooses.
func (s *Store) migrate(
	ctx context.Context, up func(*goose.Provider, context.Context) ([]*goose.MigrationResult, error),
) (steps int, err error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, fmt.Errorf("migrate PostgreSQL: %w", err)
	}
	exclusively, locking, err := s.migrationLock(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate PostgreSQL: %w", translate(err))
	}
	db := s.migrationDB()
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, dir, append(locking,
		goose.WithAllowOutofOrder(true), // steps that were developed in parallel do not depend on each other
		goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: fillSearch}, nil)))...)
	if err != nil {
		return 0, fmt.Errorf("migrate PostgreSQL: %w", err)
	}
	var results []*goose.MigrationResult
	err = exclusively(ctx, func() error {
		results, err = up(provider, ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("migrate PostgreSQL: %w", translate(err))
	}
	return len(results), nil
}

// rebaseFeed handles a database that was loaded from a dump of another server. The log
// then has transaction numbers of the other server; readers would get the entries out of
// order, and only after this server has assigned the same numbers. So rebaseFeed sets
// these numbers to 0, before all numbers of this server, where the sequence number alone
// determines the order. Cursors of the other server then name no entry, and are rejected.
// A dump may also come from another copy of the same server, which has the same system
// identifier: then the log may have transaction numbers that this server has not assigned
// yet.
func (s *Store) rebaseFeed(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		const feedEpoch = `
			UPDATE feed_epoch SET server = system_identifier::text, epoch = epoch + 1
			FROM pg_control_system() WHERE server <> system_identifier::text
				OR EXISTS (SELECT FROM revisions WHERE seq > 0 AND xid >= pg_snapshot_xmax(pg_current_snapshot()))`
		tag, err := tx.Exec(ctx, feedEpoch)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err = tx.Exec(ctx, `UPDATE revisions SET xid = '0'`); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE purged_changes SET xid = '0'`)
		return err
	})
}

// fillSearch fills the columns for searches that step 2 added.
func fillSearch(ctx context.Context, tx *sql.Tx) error {
	const (
		next   = `SELECT tenant_id, client_id, document FROM clients WHERE (tenant_id, client_id) > ($1, $2) ORDER BY tenant_id, client_id LIMIT 1`
		update = `UPDATE clients SET name = $3, facets = $4 WHERE tenant_id = $1 AND client_id = $2`
	)
	var tenant, id string
	for {
		var text []byte
		switch err := tx.QueryRowContext(ctx, next, tenant, id).Scan(&tenant, &id, &text); {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		client, err := document.Decode(text, nil)
		if err != nil {
			return err
		}
		search := document.SearchOf(client)
		if _, err := tx.ExecContext(ctx, update, tenant, id, search.Name, search.Facets); err != nil {
			return err
		}
	}
}
