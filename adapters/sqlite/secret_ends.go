package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// endText returns a time as the column secret_end has it: NULL for the zero time. The
// empty text stands for an end that is not known.
func endText(t time.Time) sql.NullString {
	return sql.NullString{String: timeText(t), Valid: !t.IsZero()}
}

// SecretEnds implements [application.Store].
func (s *Store) SecretEnds(ctx context.Context, now time.Time, limit int) (ends []application.SecretEnd, err error) {
	const query = `
		SELECT secret_end, ` + clientColumns + ` FROM clients INDEXED BY clients_secret_end
		WHERE secret_end IS NOT NULL AND deleted_at IS NULL AND secret_end <= ?
		ORDER BY secret_end, tenant_id, client_id LIMIT ?`
	err = s.each(ctx, s.reader, query, []any{timeText(now), limit}, func(rows *sql.Rows) error {
		var at string
		client, err := readClient(scanAfter{rows, []any{&at}})
		unreadable, damaged := errors.AsType[*application.UnreadableError](err)
		if err != nil && !damaged {
			return err
		}
		ends = append(ends, application.SecretEnd{Client: client, Unreadable: unreadable, Known: at != ""})
		return nil
	})
	return ends, err
}

// ScheduleSecretEnd implements [application.Store].
func (s *Store) ScheduleSecretEnd(
	ctx context.Context, client application.ClientKey, revision domain.RevisionNumber, at time.Time,
) error {
	const statement = `UPDATE clients SET secret_end = ? WHERE client_id = ? AND tenant_id = ? AND revision = ?`
	_, err := s.writer.ExecContext(ctx, statement, endText(at), string(client.ClientID), string(client.TenantID), int64(revision))
	return translate(err)
}
