package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// NoteSeen implements [application.RegistrationStore].
func (s *Store) NoteSeen(ctx context.Context, seen application.Seen) error {
	const note = `
		INSERT INTO client_seen (tenant_id, client_id, first_at, last_at)
		SELECT tenant_id, client_id, ?3, ?3 FROM clients WHERE tenant_id = ?1 AND client_id = ?2 AND deleted_at IS NULL
		ON CONFLICT DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)`
	const mark = `UPDATE registered_clients SET seen = 1 WHERE tenant_id = ? AND client_id = ? AND NOT seen`
	tenant, id := string(seen.Client.TenantID), string(seen.Client.ClientID)
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, note, tenant, id, timeText(seen.At))
		if err := took(result, err, application.ErrNotFound); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, mark, tenant, id)
		return err
	})
}

// CommitUnseen implements [application.RegistrationStore]. The transaction takes the write
// lock before it reads, so no report can come between.
func (s *Store) CommitUnseen(ctx context.Context, r domain.Revision) error {
	const query = `SELECT EXISTS (SELECT 1 FROM client_seen WHERE tenant_id = ? AND client_id = ?)`
	identity := r.Client.Identity()
	err := s.write(ctx, func(tx *sql.Tx) error {
		var seen bool
		err := tx.QueryRowContext(ctx, query, string(identity.TenantID), string(identity.ClientID)).Scan(&seen)
		switch {
		case err != nil:
			return err
		case seen:
			return application.ErrConflict
		}
		return s.commit(ctx, tx, r)
	})
	if err == nil {
		s.readers.Publish(identity.TenantID)
	}
	return err
}

// SeenTimes implements [application.RegistrationStore]. A time that cannot be decoded counts as
// unknown.
func (s *Store) SeenTimes(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (first, last time.Time, err error) {
	const query = `SELECT first_at, last_at FROM client_seen WHERE tenant_id = ? AND client_id = ?`
	var firstAt, lastAt string
	err = s.reader.QueryRowContext(ctx, query, string(tenant), string(id)).Scan(&firstAt, &lastAt)
	if errors.Is(err, sql.ErrNoRows) {
		return first, last, nil
	}
	if err != nil {
		return first, last, translate(err)
	}
	first, _ = textTime(firstAt)
	last, _ = textTime(lastAt)
	return first, last, nil
}
