package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// initialToken is a stored initial access token. Its policy is kept as text, so that it shares
// no memory with callers.
type initialToken struct {
	domain.InitialToken
	policy []byte
}

// read returns the token as it was stored.
func (t initialToken) read() (domain.InitialToken, error) {
	token := t.InitialToken
	token.Hash = bytes.Clone(t.Hash)
	var err error
	token.Policy, err = document.DecodePolicy(t.policy)
	return token, err
}

// CreateInitialToken implements [application.RegistrationStore].
func (s *Store) CreateInitialToken(ctx context.Context, t domain.InitialToken, record *application.IdempotencyRecord) error {
	policy, err := document.EncodePolicy(t.Policy)
	if err == nil {
		err = document.CheckInitialToken(t)
	}
	if err == nil {
		err = checkRecord(record)
	}
	if err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	tokens := s.tenant(t.TenantID).tokens
	return s.once(t.TenantID, record, func() error {
		if _, taken := tokens[t.ID]; taken {
			return application.ErrConflict
		}
		ended := stored(t.CreatedAt).Add(-application.EndedTokenRetention)
		maps.DeleteFunc(tokens, func(_ string, t initialToken) bool { return t.ExpiresAt.Before(ended) })
		kept := initialToken{t, policy}
		kept.Hash, kept.Policy = bytes.Clone(t.Hash), domain.RegistrationPolicy{}
		kept.CreatedAt, kept.ExpiresAt, kept.RevokedAt = stored(t.CreatedAt), stored(t.ExpiresAt), stored(t.RevokedAt)
		tokens[t.ID] = kept
		return nil
	})
}

// FindInitialToken implements [application.RegistrationStore].
func (s *Store) FindInitialToken(ctx context.Context, tenant domain.TenantID, id string) (domain.InitialToken, error) {
	if err := s.lock(ctx); err != nil {
		return domain.InitialToken{}, err
	}
	defer s.mu.Unlock()
	found, ok := s.tenant(tenant).tokens[id]
	if !ok {
		return domain.InitialToken{}, application.ErrNotFound
	}
	return found.read()
}

// InitialTokens implements [application.RegistrationStore].
func (s *Store) InitialTokens(
	ctx context.Context, tenant domain.TenantID, after string, limit int,
) (tokens []domain.InitialToken, more bool, err error) {
	if err := s.lock(ctx); err != nil {
		return nil, false, err
	}
	defer s.mu.Unlock()
	kept := s.tenant(tenant).tokens
	for _, id := range slices.Sorted(maps.Keys(kept)) {
		token, err := kept[id].read()
		if id <= after || err != nil {
			continue
		}
		if len(tokens) == limit {
			return tokens, true, nil
		}
		tokens = append(tokens, token)
	}
	return tokens, false, nil
}

// RevokeInitialToken implements [application.RegistrationStore].
func (s *Store) RevokeInitialToken(ctx context.Context, tenant domain.TenantID, id string, at time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	tokens := s.tenant(tenant).tokens
	token, ok := tokens[id]
	if !ok {
		return application.ErrNotFound
	}
	if token.RevokedAt.IsZero() {
		token.RevokedAt = stored(at)
		tokens[id] = token
	}
	return nil
}
