package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// NoteSeen implements [application.RegistrationStore], in one round trip. It locks the row of
// the client first, as all commits do: a deletion that depends on whether the client was seen
// comes before or after.
func (s *Store) NoteSeen(ctx context.Context, seen application.Seen) error {
	const (
		note = `
			INSERT INTO client_seen AS known (tenant_id, client_id, first_at, last_at)
			SELECT tenant_id, client_id, $3::timestamptz, $3 FROM clients
			WHERE tenant_id = $1 AND client_id = $2 AND deleted_at IS NULL FOR SHARE
			ON CONFLICT (tenant_id, client_id) DO UPDATE
				SET first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)`
		mark = `UPDATE registered_clients SET seen = true WHERE tenant_id = $1 AND client_id = $2 AND NOT seen`
	)
	tenant, id := string(seen.Client.TenantID), string(seen.Client.ClientID)
	return translate(retry(ctx, func() error {
		var noted pgconn.CommandTag
		var statements pgx.Batch // one implicit transaction
		statements.Queue(note, tenant, id, seen.At).Exec(func(tag pgconn.CommandTag) error {
			noted = tag
			return nil
		})
		statements.Queue(mark, tenant, id)
		return took(noted, s.pool.SendBatch(ctx, &statements).Close(), application.ErrNotFound)
	}))
}

// CommitUnseen implements [application.RegistrationStore]. It locks the row of the client
// before it looks for reports, so that it finds those that were stored while it waited.
func (s *Store) CommitUnseen(ctx context.Context, r domain.Revision) error {
	const (
		lock  = `SELECT FROM clients WHERE tenant_id = $1 AND client_id = $2 FOR NO KEY UPDATE`
		query = `SELECT EXISTS (SELECT FROM client_seen WHERE tenant_id = $1 AND client_id = $2)`
	)
	p, err := pending(r)
	if err != nil {
		return err
	}
	tenant, id := string(p.client.tenant), string(p.client.id)
	return s.transact(ctx, p.client.tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lock, tenant, id); err != nil {
			return err
		}
		var seen bool
		err := tx.QueryRow(ctx, query, tenant, id).Scan(&seen)
		switch {
		case err != nil:
			return err
		case seen:
			return application.ErrConflict
		}
		return p.commit(ctx, tx)
	})
}

// SeenTimes implements [application.RegistrationStore]. A time that cannot be decoded counts as
// unknown.
func (s *Store) SeenTimes(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (first, last time.Time, err error) {
	const query = `SELECT first_at, last_at FROM client_seen WHERE tenant_id = $1 AND client_id = $2`
	var firstAt, lastAt pgtype.Timestamptz
	err = s.pool.QueryRow(ctx, query, string(tenant), string(id)).Scan(&firstAt, &lastAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return first, last, nil
	}
	if err != nil {
		return first, last, translate(err)
	}
	if readable(firstAt) {
		first = firstAt.Time.UTC()
	}
	if readable(lastAt) {
		last = lastAt.Time.UTC()
	}
	return first, last, nil
}
