package sqlite

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"

	"github.com/clientele-oauth/clientele/domain"
)

// Translate is how the store classifies errors.
var Translate = translate

// CommitAll commits many revisions at once.
func (s *Store) CommitAll(ctx context.Context, revisions []domain.Revision) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, r := range revisions {
			if err := commit(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// MigrateToFirst makes the schema of the first version, and runs a statement there.
func (s *Store) MigrateToFirst(ctx context.Context, statement string) error {
	_, err := s.migrate(ctx, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) { return p.UpTo(ctx, 1) })
	if err == nil {
		_, err = s.writer.ExecContext(ctx, statement)
	}
	return err
}
