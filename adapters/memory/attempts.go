package memory

import (
	"context"
	"maps"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// attemptKey identifies an idempotency record in its tenant: each caller has its own
// keys.
type attemptKey struct{ subject, key string }

// CommitOnce implements [application.Store].
func (s *Store) CommitOnce(ctx context.Context, r domain.Revision, a application.IdempotencyRecord) error {
	if err := document.CheckIdempotencyRecord(a); err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.once(r.Client.Identity().TenantID, &a, func() error { return s.commit(r) })
}

// once calls do, and stores the record if it succeeds. If there is a record with the same key
// already, it does nothing and returns [application.ErrAlreadyProcessed]. A nil record is none.
// The caller holds the lock.
func (s *Store) once(tenant domain.TenantID, a *application.IdempotencyRecord, do func() error) error {
	if a == nil {
		return do()
	}
	attempts, key, record := s.tenant(tenant).attempts, attemptKey{a.Subject, a.Key}, *a
	record.At = stored(a.At)
	if kept, ok := attempts[key]; ok && !kept.At.Before(record.At.Add(-application.IdempotencyRetention)) {
		return application.ErrAlreadyProcessed
	}
	if err := do(); err != nil {
		return err
	}
	attempts[key] = record
	return nil
}

// FindIdempotencyRecord implements [application.Store].
func (s *Store) FindIdempotencyRecord(ctx context.Context, tenant domain.TenantID, subject, key string) (application.IdempotencyRecord, error) {
	if err := s.lock(ctx); err != nil {
		return application.IdempotencyRecord{}, err
	}
	defer s.mu.Unlock()
	found, ok := s.tenant(tenant).attempts[attemptKey{subject, key}]
	if !ok {
		return application.IdempotencyRecord{}, application.ErrNotFound
	}
	return found, nil
}

// DeleteIdempotencyRecords implements [application.Store].
func (s *Store) DeleteIdempotencyRecords(ctx context.Context, before time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, t := range s.tenants {
		maps.DeleteFunc(t.attempts, func(_ attemptKey, a application.IdempotencyRecord) bool { return a.At.Before(before) })
	}
	return nil
}

// AdoptSecrets implements [application.Store].
func (s *Store) AdoptSecrets(ctx context.Context, c domain.Client) error {
	secrets, err := document.EncodeSecrets(c)
	if err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	clients, id := s.tenant(c.Identity().TenantID).clients, c.Identity().ClientID
	stored := clients[id]
	if stored.row.Revision != c.Revision() {
		return application.ErrConflict
	}
	stored.row.Secrets = secrets
	clients[id] = stored
	return nil
}

// NoteSecretUses implements [application.Store].
func (s *Store) NoteSecretUses(ctx context.Context, uses []application.SecretUse) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, use := range uses {
		t := s.tenant(use.TenantID)
		known := t.secretUses[use.ClientID]
		if known == nil {
			known = map[string]time.Time{}
			t.secretUses[use.ClientID] = known
		}
		if at := stored(use.At); at.After(known[use.SecretID]) {
			known[use.SecretID] = at
		}
	}
	return nil
}

// SecretUses implements [application.Store].
func (s *Store) SecretUses(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (map[string]time.Time, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	used := map[string]time.Time{}
	maps.Copy(used, s.tenant(tenant).secretUses[id])
	return used, nil
}
