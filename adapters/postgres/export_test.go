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

// Translate classifies errors.
var Translate = translate

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
		_, err = s.pool.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	}
	return err
}

// CommitBatch commits the revisions as one batch, as Commit does with concurrent ones. It
// repeats those that cannot be part of it, and returns how many these are.
func (s *Store) CommitBatch(ctx context.Context, revisions ...domain.Revision) (errs []error, repeated int) {
	all := make([]pendingRevision, len(revisions))
	for i, r := range revisions {
		p, err := pending(r)
		if err != nil {
			return []error{err}, 0
		}
		all[i] = p
	}
	for i, result := range s.commitBatch(ctx, all) {
		if errors.Is(result.Err, errNotBatched) {
			repeated++
			result.Err = s.commitAlone(ctx, all[i])
		}
		errs = append(errs, translate(result.Err))
	}
	return errs, repeated
}

// Explain runs the statements of a list as List does, and returns the plan of each, with
// the number of rows that its filters removed, by the name of its strategy.
func (s *Store) Explain(ctx context.Context, tenant domain.TenantID, q application.Query) (map[string]string, error) {
	strategies, err := s.strategies(ctx, q)
	plans := map[string]string{}
	for _, by := range strategies {
		if err != nil {
			return nil, err
		}
		l := listingOf(by, tenant, q, q.Limit+1)
		var statements pgx.Batch
		statements.Queue(l.settings)
		statements.Queue("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "+l.statement, l.args...).Query(func(rows pgx.Rows) error {
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			plans[by.String()] = strings.Join(lines, "\n")
			return err
		})
		if err = s.pool.SendBatch(ctx, &statements).Close(); err != nil {
			return nil, err
		}
		var complete bool
		if _, complete, err = s.listBy(ctx, by, tenant, q); complete {
			break
		}
	}
	return plans, err
}

// MaxLists returns how many lists may use connections at once.
func (s *Store) MaxLists() int { return cap(s.listing) }

// HoldLists prevents lists until the function that it returns is called.
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

// String returns the name of the strategy.
func (s strategy) String() string {
	return [...]string{"scan", "bounded scan", "by filter", "by time"}[s]
}

// ExplainUpdate returns the plan of an update in a batch.
func (s *Store) ExplainUpdate(ctx context.Context, r domain.Revision) (string, error) {
	p, err := pending(r)
	if err != nil {
		return "", err
	}
	rows, err := s.pool.Query(ctx, "EXPLAIN (COSTS OFF) "+commitUpdateUnlocked, p.args()...)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}

// Plans returns how often a prepared statement ran with its generic plan, and how often
// with a custom plan for its arguments.
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

// ExplainProofs returns the plans of the proof of a cursor and of the cursor of a list.
// They are the same for all values.
func (s *Store) ExplainProofs(ctx context.Context, tenant domain.TenantID, after application.Cursor) (string, error) {
	from, err := parseCursor(after, ofTenant)
	if err != nil {
		return "", err
	}
	var plans []string
	for _, explained := range []struct {
		statement string
		args      []any
	}{
		{proofs, feedOfTenant().positions([]feedRequest{{tenant, from, 10}})},
		{proofsOfAll, feedOfAll().positions([]feedRequest{{from: from, limit: 10}})},
		{`SELECT ` + newestPosition, []any{string(tenant)}},
		{`SELECT ` + newestOfAll, nil},
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

// Payload returns the notification of another process for commits of these tenants.
func (s *Store) Payload(tenants ...domain.TenantID) string {
	n := notifier{self: "another process", pending: map[domain.TenantID]struct{}{}}
	for _, tenant := range tenants {
		n.pending[tenant] = struct{}{}
	}
	return n.payload()
}

// Receive processes a notification as if the server had sent it.
func (s *Store) Receive(payload string) { s.notifier.received(payload) }

// OwnPayload returns a notification of this process.
func (s *Store) OwnPayload() string { return s.notifier.payload() }

// SupportedEngine checks the text of version().
var SupportedEngine = supportedEngine

// Backend returns the process id of a server connection of the pool.
func (s *Store) Backend(ctx context.Context) (pid int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}

// Delays returns the first delays between attempts to listen.
func Delays(n int) (delays []time.Duration) {
	var b backoff
	for range n {
		delays = append(delays, b.next())
	}
	return delays
}

// LogOutage logs the results of attempts.
func LogOutage(log *slog.Logger, results ...error) {
	o := outage{log: log, subject: "notifications"}
	for _, err := range results {
		o.note(err)
	}
}

// The first delay between attempts to listen, and the maximum.
const (
	MinDelay = minDelay
	MaxDelay = maxDelay
)
