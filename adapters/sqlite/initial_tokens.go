package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// forgottenTokens bounds how many ended tokens are deleted when one is created.
const forgottenTokens = 100

// CreateInitialToken implements [application.RegistrationStore]. It deletes tokens of the
// tenant that ended long ago.
func (s *Store) CreateInitialToken(ctx context.Context, t domain.InitialToken, record *application.IdempotencyRecord) error {
	const create = `
		INSERT INTO initial_tokens (tenant_id, token_id, hash, key_id, description, issued_by, created_at, expires_at, revoked_at, max_uses, uses, policy)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	const forget = `
		DELETE FROM initial_tokens WHERE tenant_id = ?1 AND token_id IN (
			SELECT token_id FROM initial_tokens WHERE tenant_id = ?1 AND expires_at < ?2 ORDER BY expires_at LIMIT ?3)`
	policy, err := document.EncodePolicy(t.Policy)
	if err == nil {
		err = document.CheckInitialToken(t)
	}
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := keepRecord(ctx, tx, t.TenantID, record); err != nil {
			return err
		}
		ended := t.CreatedAt.Add(-application.EndedTokenRetention)
		if _, err := tx.ExecContext(ctx, forget, string(t.TenantID), timeText(ended), forgottenTokens); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, create, string(t.TenantID), t.ID, t.Hash, t.KeyID, t.Description, t.IssuedBy,
			timeText(t.CreatedAt), timeText(t.ExpiresAt), endText(t.RevokedAt), t.MaxUses, t.Uses, string(policy))
		return took(result, err, application.ErrConflict)
	})
}

// tokenColumns are the columns that readInitialToken reads.
const tokenColumns = `tenant_id, token_id, hash, key_id, description, issued_by, created_at, expires_at, revoked_at, max_uses, uses, policy`

// readInitialToken reads the tokenColumns. If they cannot be decoded, the error wraps
// [application.ErrUnreadable], and only the ids of the token are set.
func readInitialToken(row interface{ Scan(to ...any) error }) (domain.InitialToken, error) {
	var (
		t                    domain.InitialToken
		createdAt, expiresAt string
		revokedAt            sql.NullString
		policy               []byte
	)
	if err := row.Scan(&t.TenantID, &t.ID, &t.Hash, &t.KeyID, &t.Description, &t.IssuedBy,
		&createdAt, &expiresAt, &revokedAt, &t.MaxUses, &t.Uses, &policy); err != nil {
		return domain.InitialToken{}, err
	}
	var wrong [4]error
	t.CreatedAt, wrong[0] = textTime(createdAt)
	t.ExpiresAt, wrong[1] = textTime(expiresAt)
	if revokedAt.Valid {
		t.RevokedAt, wrong[2] = textTime(revokedAt.String)
	}
	t.Policy, wrong[3] = document.DecodePolicy(policy)
	if err := errors.Join(wrong[:]...); err != nil {
		return domain.InitialToken{TenantID: t.TenantID, ID: t.ID}, err
	}
	return t, nil
}

// FindInitialToken implements [application.RegistrationStore].
func (s *Store) FindInitialToken(ctx context.Context, tenant domain.TenantID, id string) (domain.InitialToken, error) {
	const query = `SELECT ` + tokenColumns + ` FROM initial_tokens WHERE tenant_id = ? AND token_id = ?`
	t, err := readInitialToken(s.reader.QueryRowContext(ctx, query, string(tenant), id))
	if errors.Is(err, sql.ErrNoRows) {
		return domain.InitialToken{}, application.ErrNotFound
	}
	return t, translate(err)
}

// InitialTokens implements [application.RegistrationStore].
func (s *Store) InitialTokens(
	ctx context.Context, tenant domain.TenantID, after string, limit int,
) (tokens []domain.InitialToken, more bool, err error) {
	const query = `SELECT ` + tokenColumns + ` FROM initial_tokens WHERE tenant_id = ? AND token_id > ? ORDER BY token_id LIMIT ?`
	for !more {
		found := 0
		err := s.each(ctx, s.reader, query, []any{string(tenant), after, limit + 1 - len(tokens)}, func(rows *sql.Rows) error {
			found++
			t, err := readInitialToken(rows)
			switch after = t.ID; {
			case errors.Is(err, application.ErrUnreadable):
				return nil
			case len(tokens) == limit:
				more = true
			case err == nil:
				tokens = append(tokens, t)
			}
			return err
		})
		if err != nil || found == 0 {
			return tokens, more, err
		}
	}
	return tokens, more, nil
}

// RevokeInitialToken implements [application.RegistrationStore].
func (s *Store) RevokeInitialToken(ctx context.Context, tenant domain.TenantID, id string, at time.Time) error {
	const statement = `UPDATE initial_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE tenant_id = ? AND token_id = ?`
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, timeText(at), string(tenant), id)
		return took(result, err, application.ErrNotFound)
	})
}

// examineInitialTokens examines initial access tokens. The position is the key of the last one
// as a JSON array.
func (s *Store) examineInitialTokens(ctx context.Context, after string, limit int) (found application.Examination, err error) {
	const query = `
		SELECT json_array(tenant_id, token_id), ` + tokenColumns + ` FROM initial_tokens
		WHERE (tenant_id, token_id) > (?1 ->> 0, ?1 ->> 1) ORDER BY tenant_id, token_id LIMIT ?2`
	position := `["",""]`
	if after != "" {
		position = after
	}
	err = s.each(ctx, s.reader, query, []any{position, limit}, func(rows *sql.Rows) error {
		t, err := readInitialToken(scanAfter{rows, []any{&position}})
		found.Examined++
		if errors.Is(err, application.ErrUnreadable) {
			found.Faults = append(found.Faults, document.TokenFault(t, err))
			return nil
		}
		return err
	})
	if found.Examined == limit {
		found.Next = position
	}
	return found, err
}
