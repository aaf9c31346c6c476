package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (tenant_id, token_id) DO NOTHING`
	const forget = `
		DELETE FROM initial_tokens WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM initial_tokens WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3 FOR UPDATE SKIP LOCKED))`
	policy, err := document.EncodePolicy(t.Policy)
	if err == nil {
		err = document.CheckInitialToken(t)
	}
	if err != nil {
		return err
	}
	return translate(retry(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := keepRecord(ctx, tx, t.TenantID, record); err != nil {
				return err
			}
			ended := t.CreatedAt.Add(-application.EndedTokenRetention)
			if _, err := tx.Exec(ctx, forget, string(t.TenantID), ended, forgottenTokens); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, create, string(t.TenantID), t.ID, t.Hash, t.KeyID, t.Description, t.IssuedBy,
				t.CreatedAt, t.ExpiresAt, nullTime(t.RevokedAt), t.MaxUses, t.Uses, policy)
			return took(tag, err, application.ErrConflict)
		})
	}))
}

// tokenColumns are the columns that readInitialToken reads.
const tokenColumns = `tenant_id, token_id, hash, key_id, description, issued_by, created_at, expires_at, revoked_at, max_uses, uses, policy`

// readInitialToken reads the tokenColumns. If they cannot be decoded, the error wraps
// [application.ErrUnreadable], and only the ids of the token are set.
func readInitialToken(row pgx.CollectableRow) (domain.InitialToken, error) {
	var (
		t                               domain.InitialToken
		createdAt, expiresAt, revokedAt pgtype.Timestamptz
		policy                          []byte
	)
	if err := row.Scan(&t.TenantID, &t.ID, &t.Hash, &t.KeyID, &t.Description, &t.IssuedBy,
		&createdAt, &expiresAt, &revokedAt, &t.MaxUses, &t.Uses, &policy); err != nil {
		return domain.InitialToken{}, err
	}
	var err error
	if t.Policy, err = document.DecodePolicy(policy); err == nil && (!readable(createdAt) || !readable(expiresAt) || !readable(revokedAt)) {
		err = fmt.Errorf("%w: a time", application.ErrUnreadable)
	}
	if err != nil {
		return domain.InitialToken{TenantID: t.TenantID, ID: t.ID}, err
	}
	t.CreatedAt, t.ExpiresAt = createdAt.Time.UTC(), expiresAt.Time.UTC()
	if revokedAt.Valid {
		t.RevokedAt = revokedAt.Time.UTC()
	}
	return t, nil
}

// examinedToken is a token that may be unreadable.
type examinedToken struct {
	domain.InitialToken
	unreadable error
}

// examineInitialToken is readInitialToken, but a token that cannot be decoded is no error.
func examineInitialToken(row pgx.CollectableRow) (examinedToken, error) {
	t, err := readInitialToken(row)
	if errors.Is(err, application.ErrUnreadable) {
		return examinedToken{t, err}, nil
	}
	return examinedToken{t, nil}, err
}

// FindInitialToken implements [application.RegistrationStore].
func (s *Store) FindInitialToken(ctx context.Context, tenant domain.TenantID, id string) (domain.InitialToken, error) {
	const query = `SELECT ` + tokenColumns + ` FROM initial_tokens WHERE tenant_id = $1 AND token_id = $2`
	rows, err := s.pool.Query(ctx, query, string(tenant), id)
	if err != nil {
		return domain.InitialToken{}, translate(err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, readInitialToken)
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.InitialToken{}, application.ErrNotFound
	}
	return t, translate(err)
}

// InitialTokens implements [application.RegistrationStore].
func (s *Store) InitialTokens(
	ctx context.Context, tenant domain.TenantID, after string, limit int,
) (tokens []domain.InitialToken, more bool, err error) {
	const query = `SELECT ` + tokenColumns + ` FROM initial_tokens WHERE tenant_id = $1 AND token_id > $2 ORDER BY token_id LIMIT $3`
	for {
		rows, err := s.pool.Query(ctx, query, string(tenant), after, limit+1-len(tokens))
		if err != nil {
			return nil, false, translate(err)
		}
		found, err := pgx.CollectRows(rows, examineInitialToken)
		if err != nil || len(found) == 0 {
			return tokens, false, translate(err)
		}
		for _, t := range found {
			switch after = t.ID; {
			case t.unreadable != nil:
			case len(tokens) == limit:
				return tokens, true, nil
			default:
				tokens = append(tokens, t.InitialToken)
			}
		}
	}
}

// RevokeInitialToken implements [application.RegistrationStore].
func (s *Store) RevokeInitialToken(ctx context.Context, tenant domain.TenantID, id string, at time.Time) error {
	const statement = `UPDATE initial_tokens SET revoked_at = coalesce(revoked_at, $3) WHERE tenant_id = $1 AND token_id = $2`
	return translate(retry(ctx, func() error {
		tag, err := s.pool.Exec(ctx, statement, string(tenant), id, at)
		return took(tag, err, application.ErrNotFound)
	}))
}

// examineInitialTokens examines initial access tokens. The position is the key of the last one
// as a JSON array.
func (s *Store) examineInitialTokens(ctx context.Context, after string, limit int) (found application.Examination, err error) {
	const query = `
		SELECT ` + tokenColumns + ` FROM initial_tokens
		WHERE (tenant_id, token_id) > ($1, $2) ORDER BY tenant_id, token_id LIMIT $3`
	position := [2]string{}
	if after != "" {
		if err := json.Unmarshal([]byte(after), &position); err != nil {
			return found, fmt.Errorf("examine: %w", err)
		}
	}
	rows, err := s.pool.Query(ctx, query, position[0], position[1], limit)
	if err != nil {
		return found, translate(err)
	}
	list, err := pgx.CollectRows(rows, examineInitialToken)
	if err != nil {
		return found, translate(err)
	}
	for _, t := range list {
		if t.unreadable != nil {
			found.Faults = append(found.Faults, document.TokenFault(t.InitialToken, t.unreadable))
		}
	}
	found.Examined = len(list)
	if len(list) == limit {
		last := list[len(list)-1]
		next, err := json.Marshal([2]string{string(last.TenantID), last.ID})
		return application.Examination{Examined: found.Examined, Faults: found.Faults, Next: string(next)}, err
	}
	return found, nil
}
