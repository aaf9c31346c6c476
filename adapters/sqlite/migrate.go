package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date and returns how many steps that took.
// Each step is a transaction of its own.
func (s *Store) Migrate(ctx context.Context) (steps int, err error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, fmt.Errorf("migrate SQLite: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, dir)
	if err != nil {
		return 0, fmt.Errorf("migrate SQLite: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate SQLite: %w", translate(err))
	}
	return len(results), nil
}
