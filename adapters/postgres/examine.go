package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
)

// readableAt is the SQL condition for a time that the store can have written, see readable.
const readableAt = `(at >= '0001-01-01 00:00:00Z' AND at < '10000-01-01 00:00:00Z')`

// Examine implements [application.Examiner]. The position after which it continues is the
// key of the last record as a JSON array.
func (s *Store) Examine(
	ctx context.Context, kind application.RecordKind, after string, limit int,
) (application.Examination, error) {
	switch kind {
	case application.ClientRecords:
		const query = `
			SELECT json_build_array(tenant_id, client_id), ` + clientColumns + `, true FROM clients
			WHERE (tenant_id, client_id) > ($1, $2) ORDER BY tenant_id, client_id LIMIT $3`
		const twin = `SELECT document FROM revisions WHERE tenant_id = $1 AND client_id = $2 AND number = $3`
		return s.examine(ctx, query, twin, application.PartDocument, after, []string{"", ""}, limit)
	case application.RevisionRecords:
		const query = `
			SELECT json_build_array(tenant_id, client_id, number::text), tenant_id, client_id, number, document, NULL::json, NULL::json, ` + readableAt + `
			FROM revisions
			WHERE (tenant_id, client_id, number) > ($1, $2, $3::text::bigint) ORDER BY tenant_id, client_id, number LIMIT $4`
		const twin = `SELECT document FROM clients WHERE tenant_id = $1 AND client_id = $2 AND revision = $3`
		return s.examine(ctx, query, twin, application.PartRevision, after, []string{"", "", "0"}, limit)
	case application.IdempotencyRecords:
		const query = `
			SELECT json_build_array(tenant_id, subject, key), tenant_id, client_id, revision, NULL::json, NULL::json, NULL::json,
				` + readableAt + ` AND length(fingerprint) = 32
			FROM idempotency_records
			WHERE (tenant_id, subject, key) > ($1, $2, $3) ORDER BY tenant_id, subject, key LIMIT $4`
		return s.examine(ctx, query, "", application.PartIdempotencyRecord, after, []string{"", "", ""}, limit)
	case application.SecretUseRecords:
		const query = `
			SELECT json_build_array(tenant_id, client_id, secret_id), tenant_id, client_id, 0, NULL::json, NULL::json, NULL::json, last_used_at >= '0001-01-01 00:00:00Z' AND last_used_at < '10000-01-01 00:00:00Z'
			FROM secret_uses
			WHERE (tenant_id, client_id, secret_id) > ($1, $2, $3) ORDER BY tenant_id, client_id, secret_id LIMIT $4`
		return s.examine(ctx, query, "", application.PartSecretUse, after, []string{"", "", ""}, limit)
	case application.InitialTokenRecords:
		return s.examineInitialTokens(ctx, after, limit)
	default:
		return application.Examination{}, fmt.Errorf("examine: unknown kind of records %q", kind)
	}
}

// errColumns is the reason for records whose columns have values that the store never
// writes.
var errColumns = errors.New("a column has a value that is never written")

func (s *Store) examine(
	ctx context.Context, query, twin string, part application.RecordPart, after string, position []string, limit int,
) (found application.Examination, err error) {
	if after != "" {
		if err := json.Unmarshal([]byte(after), &position); err != nil {
			return found, fmt.Errorf("examine: %w", err)
		}
	}
	args := make([]any, 0, len(position)+1)
	for _, column := range position {
		args = append(args, column)
	}
	rows, err := s.pool.Query(ctx, query, append(args, limit)...)
	if err != nil {
		return found, translate(err)
	}
	type examined struct {
		document.Row
		key     []byte
		columns bool // whether they can be read
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r examined, err error) {
		err = row.Scan(&r.key, &r.TenantID, &r.ClientID, &r.Revision, &r.Document, &r.Secrets, &r.Registration, &r.columns)
		return r, err
	})
	if err != nil {
		return found, translate(err)
	}
	for _, r := range list {
		if r.Document != nil {
			faults, err := r.Examine(part, func() ([]byte, error) {
				var document []byte
				err := s.pool.QueryRow(ctx, twin, string(r.TenantID), string(r.ClientID), int64(r.Revision)).Scan(&document)
				if errors.Is(err, pgx.ErrNoRows) {
					err = nil
				}
				return document, translate(err)
			})
			if err != nil {
				return application.Examination{}, err
			}
			found.Faults = append(found.Faults, faults...)
		}
		if !r.columns {
			found.Faults = append(found.Faults, application.Fault{UnreadableRecord: r.Unreadable(part, errColumns).UnreadableRecord})
		}
	}
	found.Examined = len(list)
	if len(list) == limit {
		found.Next = string(list[len(list)-1].key)
	}
	return found, nil
}

// Mend implements [application.Examiner].
func (s *Store) Mend(ctx context.Context, f application.Fault) (mended bool, err error) {
	args := []any{string(f.Mended), string(f.Stored), string(f.TenantID), string(f.ClientID)}
	var statement string
	switch f.Part {
	case application.PartDocument:
		statement = `UPDATE clients SET document = $1::text::json WHERE document::text = $2 AND tenant_id = $3 AND client_id = $4`
	case application.PartSecrets:
		statement = `UPDATE clients SET secrets = $1::text::json WHERE secrets::text = $2 AND tenant_id = $3 AND client_id = $4`
	case application.PartRevision:
		statement = `
			UPDATE revisions SET document = $1::text::json WHERE document::text = $2 AND tenant_id = $3 AND client_id = $4 AND number = $5`
		args = append(args, int64(f.Revision))
	case application.PartRegistration, application.PartIdempotencyRecord, application.PartSecretUse, application.PartInitialToken:
	}
	if statement == "" || f.Mended == nil {
		return false, nil
	}
	tag, err := s.pool.Exec(ctx, statement, args...)
	return err == nil && tag.RowsAffected() == 1, translate(err)
}
