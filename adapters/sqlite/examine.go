package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
)

// Examine implements [application.Examiner]. The position after which it continues is the
// rowid of the last record or, for tables without one, its key as a JSON array.
func (s *Store) Examine(
	ctx context.Context, kind application.RecordKind, after string, limit int,
) (application.Examination, error) {
	switch kind {
	case application.ClientRecords:
		const query = `SELECT n, ` + clientColumns + ` FROM clients WHERE n > ? ORDER BY n LIMIT ?`
		const twin = `SELECT document FROM revisions WHERE tenant_id = ? AND client_id = ? AND number = ?`
		return s.examineRows(ctx, query, twin, application.PartDocument, after, limit)
	case application.RevisionRecords:
		const query = `SELECT seq, tenant_id, client_id, number, document, NULL, NULL, at FROM revisions WHERE seq > ? ORDER BY seq LIMIT ?`
		const twin = `SELECT document FROM clients WHERE tenant_id = ? AND client_id = ? AND revision = ?`
		return s.examineRows(ctx, query, twin, application.PartRevision, after, limit)
	case application.IdempotencyRecords:
		const query = `
			SELECT json_array(tenant_id, subject, key), tenant_id, client_id, revision, at FROM idempotency_records
			WHERE (tenant_id, subject, key) > (?1 ->> 0, ?1 ->> 1, ?1 ->> 2) ORDER BY tenant_id, subject, key LIMIT ?2`
		return s.examineTimes(ctx, query, application.PartIdempotencyRecord, after, limit)
	case application.SecretUseRecords:
		const query = `
			SELECT json_array(tenant_id, client_id, secret_id), tenant_id, client_id, 0, last_used_at FROM secret_uses
			WHERE (tenant_id, client_id, secret_id) > (?1 ->> 0, ?1 ->> 1, ?1 ->> 2)
			ORDER BY tenant_id, client_id, secret_id LIMIT ?2`
		return s.examineTimes(ctx, query, application.PartSecretUse, after, limit)
	case application.InitialTokenRecords:
		return s.examineInitialTokens(ctx, after, limit)
	default:
		return application.Examination{}, fmt.Errorf("examine: unknown kind of records %q", kind)
	}
}

// examineRows examines clients or revisions.
func (s *Store) examineRows(
	ctx context.Context, query, twin string, part application.RecordPart, after string, limit int,
) (found application.Examination, err error) {
	position := int64(0)
	if after != "" {
		if position, err = strconv.ParseInt(after, 10, 64); err != nil {
			return found, fmt.Errorf("examine: %w", err)
		}
	}
	type examined struct {
		document.Row
		at string
	}
	var list []examined
	err = s.each(ctx, s.reader, query, []any{position, limit}, func(rows *sql.Rows) error {
		var r examined
		to := []any{&position, &r.TenantID, &r.ClientID, &r.Revision, &r.Document, &r.Secrets, &r.Registration}
		if part == application.PartRevision {
			to = append(to, &r.at)
		}
		err := rows.Scan(to...)
		list = append(list, r)
		return err
	})
	if err != nil {
		return application.Examination{}, err
	}
	for _, r := range list {
		faults, err := r.Examine(part, func() ([]byte, error) {
			var document []byte
			err := s.reader.QueryRowContext(ctx, twin, string(r.TenantID), string(r.ClientID), int64(r.Revision)).Scan(&document)
			if errors.Is(err, sql.ErrNoRows) {
				err = nil
			}
			return document, translate(err)
		})
		if err != nil {
			return application.Examination{}, err
		}
		if _, err := textTime(r.at); part == application.PartRevision && err != nil {
			faults = append(faults, application.Fault{UnreadableRecord: r.Unreadable(part, err).UnreadableRecord})
		}
		found.Faults = append(found.Faults, faults...)
	}
	found.Examined = len(list)
	if len(list) == limit {
		found.Next = strconv.FormatInt(position, 10)
	}
	return found, nil
}

// examineTimes examines records in which only a time can be unreadable.
func (s *Store) examineTimes(
	ctx context.Context, query string, part application.RecordPart, after string, limit int,
) (found application.Examination, err error) {
	position := `["","",""]`
	if after != "" {
		position = after
	}
	err = s.each(ctx, s.reader, query, []any{position, limit}, func(rows *sql.Rows) error {
		var row document.Row
		var at string
		if err := rows.Scan(&position, &row.TenantID, &row.ClientID, &row.Revision, &at); err != nil {
			return err
		}
		if _, err := textTime(at); err != nil {
			found.Faults = append(found.Faults, application.Fault{UnreadableRecord: row.Unreadable(part, err).UnreadableRecord})
		}
		found.Examined++
		return nil
	})
	if found.Examined == limit {
		found.Next = position
	}
	return found, err
}

// Mend implements [application.Examiner].
func (s *Store) Mend(ctx context.Context, f application.Fault) (mended bool, err error) {
	args := []any{string(f.Mended), string(f.Stored), string(f.TenantID), string(f.ClientID)}
	var statement string
	switch f.Part {
	case application.PartDocument:
		statement = `UPDATE clients SET document = ? WHERE document = ? AND tenant_id = ? AND client_id = ?`
	case application.PartSecrets:
		statement = `UPDATE clients SET secrets = ? WHERE secrets = ? AND tenant_id = ? AND client_id = ?`
	case application.PartRevision:
		statement = `UPDATE revisions SET document = ? WHERE document = ? AND tenant_id = ? AND client_id = ? AND number = ?`
		args = append(args, int64(f.Revision))
	case application.PartRegistration, application.PartIdempotencyRecord, application.PartSecretUse, application.PartInitialToken:
	}
	if statement == "" || f.Mended == nil {
		return false, nil
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		err = took(result, err, errUntouched)
		if errors.Is(err, errUntouched) {
			return nil
		}
		mended = err == nil
		return err
	})
	return mended, err
}

// errUntouched reports that a statement changed no row.
var errUntouched = errors.New("no row was changed")
