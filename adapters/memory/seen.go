package memory

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// seen is when a client was first and last seen.
type seen struct{ first, last time.Time }

// NoteSeen implements [application.RegistrationStore].
func (s *Store) NoteSeen(ctx context.Context, report application.Seen) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	t, id, at := s.tenant(report.Client.TenantID), report.Client.ClientID, stored(report.At)
	if c, ok := t.clients[id]; !ok || !c.live() {
		return application.ErrNotFound
	}
	known, ok := t.seen[id]
	if !ok {
		known = seen{at, at}
	}
	if at.Before(known.first) {
		known.first = at
	}
	if at.After(known.last) {
		known.last = at
	}
	t.seen[id] = known
	return nil
}

// CommitUnseen implements [application.RegistrationStore].
func (s *Store) CommitUnseen(ctx context.Context, r domain.Revision) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	identity := r.Client.Identity()
	if !s.tenant(identity.TenantID).unseen(identity.ClientID) {
		return application.ErrConflict
	}
	return s.commit(r)
}

// SeenTimes implements [application.RegistrationStore].
func (s *Store) SeenTimes(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (first, last time.Time, err error) {
	if err := s.lock(ctx); err != nil {
		return first, last, err
	}
	defer s.mu.Unlock()
	known := s.tenant(tenant).seen[id]
	return known.first, known.last, nil
}
