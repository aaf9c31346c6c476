package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// clock is the time of this machine in SQL, in seconds since 1970. All processes that use
// the file have the same clock.
const clock = `unixepoch('now', 'subsec')`

// AcquireLease implements [push.Ledger].
func (s *Store) AcquireLease(ctx context.Context, of push.Key, holder string, ttl time.Duration) (push.Lease, error) {
	const acquire = `
		INSERT INTO push_targets (tenant_id, target, holder, fence, lease_ends) VALUES (?1, ?2, ?3, 1, ` + clock + ` + ?4)
		ON CONFLICT DO UPDATE SET
			fence = fence + (holder <> excluded.holder), holder = excluded.holder, lease_ends = excluded.lease_ends
			WHERE holder = excluded.holder OR lease_ends <= ` + clock + `
		RETURNING fence`
	lease := push.Lease{Key: of, Holder: holder}
	err := s.write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, acquire, string(of.Tenant), of.Target, holder, ttl.Seconds()).Scan(&lease.Fence)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return push.Lease{}, push.ErrLeaseHeld
	}
	return lease, err
}

// ReleaseLease implements [push.Ledger].
func (s *Store) ReleaseLease(ctx context.Context, l push.Lease) error {
	const release = `UPDATE push_targets SET holder = '', lease_ends = 0 WHERE tenant_id = ? AND target = ? AND holder = ? AND fence = ?`
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, release, string(l.Tenant), l.Target, l.Holder, l.Fence)
		return err
	})
}

// SaveProgress implements [push.Ledger].
func (s *Store) SaveProgress(ctx context.Context, l push.Lease, p push.Progress) error {
	const (
		save = `
			UPDATE push_targets SET saved_at = ` + clock + `, cursor = coalesce(nullif(?5, ''), cursor),
				reconciled_at = iif(?6, ` + clock + `, reconciled_at)
			WHERE tenant_id = ?1 AND target = ?2 AND holder = ?3 AND fence = ?4`
		solve = `
			DELETE FROM push_problems WHERE tenant_id = ? AND target = ? AND client_id IN (SELECT value FROM json_each(?))`
		report = `
			INSERT INTO push_problems (tenant_id, target, client_id, kind, reason, revision, at)
			VALUES (?, ?, ?, ?, ?, ?, ` + clock + `)
			ON CONFLICT DO UPDATE SET kind = excluded.kind, reason = excluded.reason, revision = excluded.revision, at = excluded.at`
	)
	solved, err := json.Marshal(p.Solved)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, save, string(l.Tenant), l.Target, l.Holder, l.Fence, string(p.Cursor), p.Reconciled)
		if err := took(result, err, push.ErrLeaseLost); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, solve, string(l.Tenant), l.Target, string(solved)); err != nil {
			return err
		}
		for _, problem := range p.Problems {
			_, err := tx.ExecContext(ctx, report, string(l.Tenant), l.Target, string(problem.ClientID),
				string(problem.Kind), problem.Reason, int64(problem.Revision))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// PushStates implements [push.Ledger].
func (s *Store) PushStates(ctx context.Context, tenant domain.TenantID) (states []push.State, err error) {
	const (
		targets = `
			SELECT target, iif(lease_ends > ` + clock + `, holder, ''), iif(lease_ends > ` + clock + `, lease_ends, 0), cursor, saved_at, reconciled_at
			FROM push_targets WHERE tenant_id = ? ORDER BY target`
		problems = `
			SELECT target, client_id, kind, reason, revision, at FROM push_problems WHERE tenant_id = ? ORDER BY target, client_id`
	)
	positions := map[string]int{}
	err = s.each(ctx, s.reader, targets, []any{string(tenant)}, func(rows *sql.Rows) error {
		state := push.State{Key: push.Key{Tenant: tenant}}
		var ends, saved, reconciled float64
		err := rows.Scan(&state.Target, &state.Holder, &ends, &state.Cursor, &saved, &reconciled)
		state.LeaseEnds, state.SavedAt, state.ReconciledAt = fromClock(ends), fromClock(saved), fromClock(reconciled)
		positions[state.Target] = len(states)
		states = append(states, state)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, s.reader, problems, []any{string(tenant)}, func(rows *sql.Rows) error {
		var target string
		var problem push.Problem
		var at float64
		err := rows.Scan(&target, &problem.ClientID, &problem.Kind, &problem.Reason, &problem.Revision, &at)
		problem.At = fromClock(at)
		if i, ok := positions[target]; ok {
			states[i].Problems = append(states[i].Problems, problem)
		}
		return err
	})
	return states, err
}

// fromClock returns the time that [clock] gave; the zero time for 0.
func fromClock(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e3)*1e6).UTC()
}

var _ push.Ledger = (*Store)(nil)
