package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Translate classifies errors.
var Translate = translate

// CommitAll commits many revisions in one transaction.
func (s *Store) CommitAll(ctx context.Context, revisions []domain.Revision) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, r := range revisions {
			if err := s.commit(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Apply takes one step of the migration.
func (s *Store) Apply(ctx context.Context, version int64) error {
	_, err := s.migrate(ctx, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) {
		result, err := p.ApplyVersion(ctx, version, true)
		return []*goose.MigrationResult{result}, err
	})
	return err
}

// MigrateToFirst creates the schema of the first version and runs a statement there.
func (s *Store) MigrateToFirst(ctx context.Context, statement string) error {
	_, err := s.migrate(ctx, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) { return p.UpTo(ctx, 1) })
	if err == nil {
		_, err = s.writer.ExecContext(ctx, statement)
	}
	return err
}

// Exec runs a statement.
func (s *Store) Exec(ctx context.Context, statement string) error {
	_, err := s.writer.ExecContext(ctx, statement)
	return err
}

// ListPlans returns the plans of the statements of a list for each filter that can lead, and
// the page that each of them finds.
func (s *Store) ListPlans(ctx context.Context, tenant domain.TenantID, q application.Query) (plans map[string]string, pages []string, err error) {
	plans = map[string]string{}
	explain := func(name, statement string, args []any) {
		var lines []string
		err = errors.Join(err, s.each(ctx, s.lists, "EXPLAIN QUERY PLAN "+statement, args, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			lines = append(lines, detail)
			return err
		}))
		plans[name] = strings.Join(lines, "\n")
	}
	explain("in order", inOrder, []any{string(tenant), string(q.After), q.Limit + 1, q.Offset})
	explain("by number", byNumber, []any{"[1]"})
	chosen := selectionOf(tenant, q)
	for _, l := range append(chosen.leads(), leadKey) {
		statement, args := chosen.ids(l, q)
		explain(fmt.Sprintf("page, lead %d", l), statement, args)
		var page string
		err = errors.Join(err, s.lists.QueryRowContext(ctx, statement, args...).Scan(&page))
		pages = append(pages, page)
		statement, args = chosen.count(l)
		explain(fmt.Sprintf("count, lead %d", l), statement, args)
		if l != leadKey {
			statement, args = chosen.probe(l)
			explain(fmt.Sprintf("probe, lead %d", l), statement, args)
		}
	}
	return plans, pages, err
}

// HoldLists uses all connections for lists until the function that it returns is called.
func (s *Store) HoldLists(ctx context.Context) (release func(), err error) {
	var held []*sql.Conn
	for range maxLists {
		conn, err := s.lists.Conn(ctx)
		if err != nil {
			return nil, err
		}
		held = append(held, conn)
	}
	return func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	}, nil
}
