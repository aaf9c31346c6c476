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

// Apply takes one step of the migration.
func (s *Store) Apply(ctx context.Context, version int64) error {
	_, err := s.migrate(ctx, func(p *goose.Provider, ctx context.Context) ([]*goose.MigrationResult, error) {
		result, err := p.ApplyVersion(ctx, version, true)
		return []*goose.MigrationResult{result}, err
	})
	return err
}

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
		e, err := entryOf(r)
		if err != nil {
			return []error{err}, 0
		}
		entries[i] = e
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

// Explain carries the statements of a list out as List does, and returns the plan of
// each, with the number of rows that its filters removed, by the name of its way.
func (s *Store) Explain(ctx context.Context, tenant domain.TenantID, q application.Query) (map[string]string, error) {
	ways, err := s.ways(ctx, q)
	plans := map[string]string{}
	for _, w := range ways {
		if err != nil {
			return nil, err
		}
		l := listingOf(w, tenant, q, q.Limit+1)
		var batch pgx.Batch
		batch.Queue(l.settings)
		batch.Queue("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "+l.statement, l.args...).Query(func(rows pgx.Rows) error {
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			plans[w.String()] = strings.Join(lines, "\n")
			return err
		})
		if err = s.pool.SendBatch(ctx, &batch).Close(); err != nil {
			return nil, err
		}
		var complete bool
		if _, complete, err = s.listBy(ctx, w, tenant, q); complete {
			break
		}
	}
	return plans, err
}

// MaxLists is how many lists use connections at once.
func (s *Store) MaxLists() int { return cap(s.listing) }

// HoldLists takes all places for lists until the function that it returns is called.
func (s *Store) HoldLists() (release func()) {
	for range cap(s.listing) {
		s.listing <- struct{}{}
	}
	return func() {
		for range cap(s.listing) {
			<-s.listing
		}
	}
}

// String names the way.
func (w way) String() string { return [...]string{"walk", "look", "filter", "recent"}[w] }

// ExplainUpdates returns the plan of updates that go together.
func (s *Store) ExplainUpdates(ctx context.Context, revisions ...domain.Revision) (string, error) {
	entries := make([]entry, len(revisions))
	for i, r := range revisions {
		e, err := entryOf(r)
		if err != nil {
			return "", err
		}
		entries[i] = e
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

// Exec runs a statement.
func (s *Store) Exec(ctx context.Context, statement string) error {
	_, err := s.pool.Exec(ctx, statement)
	return err
}

// ExplainProofs returns the plans of what a page of the feed is read with: the proof of
// a cursor, and the cursor of a list. They are the plans for any values.
func (s *Store) ExplainProofs(ctx context.Context, tenant domain.TenantID, after application.Cursor) (string, error) {
	from, err := positionOf(after)
	if err != nil {
		return "", err
	}
	var plans []string
	for _, explained := range []struct {
		statement string
		args      []any
	}{
		{proofs, positionColumns([]question{{tenant, from, 10}})},
		{`SELECT ` + newestPosition, []any{string(tenant)}},
	} {
		rows, err := s.pool.Query(ctx, "EXPLAIN (COSTS OFF) "+explained.statement, explained.args...)
		if err != nil {
			return "", err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return "", err
		}
		plans = append(plans, lines...)
	}
	return strings.Join(plans, "\n"), nil
}

// Payload is the notification of commits of these tenants.
func (s *Store) Payload(tenants ...domain.TenantID) string {
	n := news{self: "another process", pending: map[domain.TenantID]struct{}{}}
	for _, tenant := range tenants {
		n.pending[tenant] = struct{}{}
	}
	return n.payload()
}

// Receive processes a notification, as if it came from the server.
func (s *Store) Receive(payload string) { s.news.received(payload) }

// OwnPayload is a notification that this process sent.
func (s *Store) OwnPayload() string { return s.news.payload() }

// SupportedEngine is the check of version().
var SupportedEngine = supportedEngine

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
