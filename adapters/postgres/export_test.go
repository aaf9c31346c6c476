package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Translate is how the store classifies errors.
var Translate = translate

// MigrateToFirst makes the schema of the first version, and runs a statement there.
func (s *Store) MigrateToFirst(ctx context.Context, statement string) error {
	_, err := s.migrate(ctx, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) { return p.UpTo(ctx, 1) })
	if err == nil {
		_, err = s.pool.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	}
	return err
}

// CommitTogether commits the revisions in one transaction, as Commit does with
// those that come at the same time, and those alone that could not go along.
func (s *Store) CommitTogether(ctx context.Context, revisions ...domain.Revision) (errs []error, alone int) {
	entries := make([]entry, len(revisions))
	for i, r := range revisions {
		entries[i] = entryOf(r)
	}
	for i, result := range s.commitTogether(ctx, entries) {
		if errors.Is(result.Err, errAlone) {
			alone++
			result.Err = s.commitAlone(ctx, entries[i])
		}
		errs = append(errs, translate(result.Err))
	}
	return errs, alone
}

// Explain carries a list out and returns the plan of it, with how many rows were
// looked at in vain.
func (s *Store) Explain(ctx context.Context, tenant domain.TenantID, q application.Query) (string, error) {
	statement, args := listStatement(tenant, q)
	rows, err := s.pool.Query(ctx, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "+statement, args...)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}

// ExplainUpdates returns the plan of updates that go together.
func (s *Store) ExplainUpdates(ctx context.Context, revisions ...domain.Revision) (string, error) {
	entries := make([]entry, len(revisions))
	for i, r := range revisions {
		entries[i] = entryOf(r)
	}
	_, updated := together(entries)
	rows, err := s.pool.Query(ctx, "EXPLAIN (COSTS OFF) "+updated.statement, updated.args()...)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}

// Plans tells how often a prepared statement was carried out with the plan that is
// kept for it, and how often with one made for the values.
func (s *Store) Plans(ctx context.Context, like string) (generic, custom int, err error) {
	const query = `SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE $1`
	err = s.pool.QueryRow(ctx, query, pgx.QueryExecModeExec, like).Scan(&generic, &custom)
	return generic, custom, err
}

// Backend returns the process id of a server connection of the pool.
func (s *Store) Backend(ctx context.Context) (pid int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}

// Pauses returns the first pauses between attempts to listen.
func Pauses(n int) (pauses []time.Duration) {
	var b backoff
	for range n {
		pauses = append(pauses, b.next())
	}
	return pauses
}

// LogOutage logs the outcomes of attempts.
func LogOutage(log *slog.Logger, outcomes ...error) {
	o := outage{log: log, subject: "notifications"}
	for _, err := range outcomes {
		o.note(err)
	}
}

// The first pause between attempts to listen, and the longest.
const (
	ShortestPause = shortestPause
	LongestPause  = longestPause
)
