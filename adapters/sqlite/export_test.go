package sqlite

import (
	"context"

	"github.com/pressly/goose/v3"
)

// MigrateToFirst makes the schema of the first version, and runs a statement there.
func (s *Store) MigrateToFirst(ctx context.Context, statement string) error {
	_, err := s.migrate(ctx, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) { return p.UpTo(ctx, 1) })
	if err == nil {
		_, err = s.writer.ExecContext(ctx, statement)
	}
	return err
}
