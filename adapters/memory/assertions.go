package memory

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// assertionKey identifies a used assertion in its tenant.
type assertionKey struct {
	client domain.ClientID
	digest [32]byte
}

// UseAssertion implements [application.Store].
func (s *Store) UseAssertion(ctx context.Context, use application.AssertionUse) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	used, key := s.tenant(use.TenantID).assertions, assertionKey{use.ClientID, use.Digest}
	if expires, ok := used[key]; ok && expires.After(stored(use.At)) {
		return application.ErrReplayed
	}
	used[key] = stored(use.ExpiresAt)
	return nil
}

// DeleteAssertionUses implements [application.Store].
func (s *Store) DeleteAssertionUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	for _, t := range s.tenants {
		deleted += deleteExpired(t.assertions, expired, limit-deleted)
	}
	return deleted, nil
}
