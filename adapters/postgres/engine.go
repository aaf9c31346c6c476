package postgres

import (
	"context"
	"fmt"
	"strings"
)

// checkEngine returns an error unless the server is PostgreSQL itself. The order of the
// change feed depends on how PostgreSQL numbers transactions (pg_snapshot_xmin). Engines
// that only implement its protocol have functions of the same names that do something
// else.
func (s *Store) checkEngine(ctx context.Context) error {
	var version string
	if err := s.pool.QueryRow(ctx, `SELECT version()`).Scan(&version); err != nil {
		return fmt.Errorf("migrate PostgreSQL: %w", translate(err))
	}
	return supportedEngine(version)
}

// supportedEngine checks the text of version().
func supportedEngine(version string) error {
	// YugabyteDB reports "PostgreSQL 11.2-YB-2.21.0.0-b0 on …". EPAS and other builds of
	// PostgreSQL's own server start with "PostgreSQL " as well, and are accepted.
	if !strings.HasPrefix(version, "PostgreSQL ") || strings.Contains(version, "-YB-") || strings.Contains(version, "Redshift") {
		return fmt.Errorf("the database engine is not supported: the change feed needs PostgreSQL's own transaction numbers; the server reports %q", version)
	}
	return nil
}
