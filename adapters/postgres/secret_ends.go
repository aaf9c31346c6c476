package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// SecretEnds implements [application.Store]. The clock of the server, which all replicas
// share, must have reached an end as well, so that a replica whose clock is fast does not
// record it before it has come.
func (s *Store) SecretEnds(ctx context.Context, now time.Time, limit int) ([]application.SecretEnd, error) {
	const query = `
		SELECT secret_end, ` + clientColumns + ` FROM clients
		WHERE secret_end IS NOT NULL AND deleted_at IS NULL AND secret_end <= (SELECT least($1, statement_timestamp()))
		ORDER BY secret_end, tenant_id, client_id LIMIT (SELECT $2::bigint)`
	var ends []application.SecretEnd
	var statements pgx.Batch
	statements.Queue(inOrder)
	statements.Queue(query, now, limit).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var at pgtype.Timestamptz
			client, err := readClient(rows, &at)
			unreadable, damaged := errors.AsType[*application.UnreadableError](err)
			if err != nil && !damaged {
				return err
			}
			ends = append(ends, application.SecretEnd{Client: client, Unreadable: unreadable, Known: at.InfinityModifier == pgtype.Finite})
		}
		return rows.Err()
	})
	if err := s.pool.SendBatch(ctx, &statements).Close(); err != nil {
		return nil, translate(err)
	}
	return ends, nil
}

// ScheduleSecretEnd implements [application.Store].
func (s *Store) ScheduleSecretEnd(
	ctx context.Context, client application.ClientKey, revision domain.RevisionNumber, at time.Time,
) error {
	const statement = `UPDATE clients SET secret_end = $4 WHERE client_id = $1 AND tenant_id = $2 AND revision = $3`
	return translate(retry(ctx, func() error {
		_, err := s.pool.Exec(ctx, statement, string(client.ClientID), string(client.TenantID), int64(revision), nullTime(at))
		return err
	}))
}
