package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// AcquireLease implements [push.Ledger], with the clock of the server.
func (s *Store) AcquireLease(ctx context.Context, of push.Key, holder string, ttl time.Duration) (push.Lease, error) {
	const acquire = `
		INSERT INTO push_targets AS t (tenant_id, target, holder, fence, lease_ends)
		VALUES ($1, $2, $3, 1, clock_timestamp() + make_interval(secs => $4))
		ON CONFLICT (tenant_id, target) DO UPDATE SET
			fence = t.fence + (t.holder <> excluded.holder)::int, holder = excluded.holder,
			lease_ends = clock_timestamp() + make_interval(secs => $4)
			WHERE t.holder = excluded.holder OR t.lease_ends <= clock_timestamp()
		RETURNING fence`
	lease := push.Lease{Key: of, Holder: holder}
	err := s.pool.QueryRow(ctx, acquire, string(of.Tenant), of.Target, holder, ttl.Seconds()).Scan(&lease.Fence)
	if errors.Is(err, pgx.ErrNoRows) {
		return push.Lease{}, push.ErrLeaseHeld
	}
	return lease, translate(err)
}

// ReleaseLease implements [push.Ledger].
func (s *Store) ReleaseLease(ctx context.Context, l push.Lease) error {
	const release = `
		UPDATE push_targets SET holder = '', lease_ends = 'epoch' WHERE tenant_id = $1 AND target = $2 AND holder = $3 AND fence = $4`
	_, err := s.pool.Exec(ctx, release, string(l.Tenant), l.Target, l.Holder, l.Fence)
	return translate(err)
}

// SaveProgress implements [push.Ledger]. The statement that checks the lease also locks
// its row, so no other process can take over before the transaction ends.
func (s *Store) SaveProgress(ctx context.Context, l push.Lease, p push.Progress) error {
	const (
		save = `
			UPDATE push_targets SET saved_at = clock_timestamp(), cursor = coalesce(nullif($5, ''), cursor),
				reconciled_at = CASE WHEN $6 THEN clock_timestamp() ELSE reconciled_at END
			WHERE tenant_id = $1 AND target = $2 AND holder = $3 AND fence = $4`
		solve  = `DELETE FROM push_problems WHERE tenant_id = $1 AND target = $2 AND client_id = ANY ($3)`
		report = `
			INSERT INTO push_problems (tenant_id, target, client_id, kind, reason, revision, at)
			SELECT $1, $2, client_id, kind, reason, revision, clock_timestamp()
			FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[]) AS new (client_id, kind, reason, revision)
			ON CONFLICT (tenant_id, target, client_id) DO UPDATE SET
				kind = excluded.kind, reason = excluded.reason, revision = excluded.revision, at = excluded.at`
	)
	solved := make([]string, len(p.Solved))
	for i, id := range p.Solved {
		solved[i] = string(id)
	}
	ids, kinds, reasons, revisions := make([]string, len(p.Problems)), make([]string, len(p.Problems)), make([]string, len(p.Problems)), make([]int64, len(p.Problems))
	for i, problem := range p.Problems {
		ids[i], kinds[i], reasons[i], revisions[i] = string(problem.ClientID), string(problem.Kind), problem.Reason, int64(problem.Revision)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, save, string(l.Tenant), l.Target, l.Holder, l.Fence, string(p.Cursor), p.Reconciled)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return push.ErrLeaseLost
		}
		if _, err := tx.Exec(ctx, solve, string(l.Tenant), l.Target, solved); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, report, string(l.Tenant), l.Target, ids, kinds, reasons, revisions)
		return err
	})
	return translate(err)
}

// PushStates implements [push.Ledger].
func (s *Store) PushStates(ctx context.Context, tenant domain.TenantID) ([]push.State, error) {
	const (
		targets = `
			SELECT target, CASE WHEN lease_ends > clock_timestamp() THEN holder ELSE '' END,
				CASE WHEN lease_ends > clock_timestamp() THEN lease_ends ELSE 'epoch' END, cursor, saved_at, reconciled_at
			FROM push_targets WHERE tenant_id = $1 ORDER BY target`
		problems = `
			SELECT target, client_id, kind, reason, revision, at FROM push_problems WHERE tenant_id = $1 ORDER BY target, client_id`
	)
	rows, err := s.pool.Query(ctx, targets, string(tenant))
	if err != nil {
		return nil, translate(err)
	}
	positions := map[string]int{}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (push.State, error) {
		state := push.State{Key: push.Key{Tenant: tenant}}
		var ends, saved, reconciled time.Time
		err := row.Scan(&state.Target, &state.Holder, &ends, &state.Cursor, &saved, &reconciled)
		state.LeaseEnds, state.SavedAt, state.ReconciledAt = unlessEpoch(ends), unlessEpoch(saved), unlessEpoch(reconciled)
		positions[state.Target] = len(positions)
		return state, err
	})
	if err != nil {
		return nil, translate(err)
	}
	rows, err = s.pool.Query(ctx, problems, string(tenant))
	if err != nil {
		return nil, translate(err)
	}
	var target string
	var problem push.Problem
	_, err = pgx.ForEachRow(rows, []any{&target, &problem.ClientID, &problem.Kind, &problem.Reason, &problem.Revision, &problem.At}, func() error {
		if i, ok := positions[target]; ok {
			problem.At = problem.At.UTC()
			states[i].Problems = append(states[i].Problems, problem)
		}
		return nil
	})
	return states, translate(err)
}

// unlessEpoch returns the time in UTC; the zero time for the beginning of 1970.
func unlessEpoch(t time.Time) time.Time {
	if t.Unix() == 0 {
		return time.Time{}
	}
	return t.UTC()
}

var _ push.Ledger = (*Store)(nil)
