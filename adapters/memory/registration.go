package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// statementKey identifies a used software statement in its tenant.
type statementKey struct {
	issuer string
	digest [32]byte
}

// CommitRegistration implements [application.RegistrationStore].
func (s *Store) CommitRegistration(
	ctx context.Context, r domain.Revision, claim application.RegistrationClaim, record *application.IdempotencyRecord,
) error {
	if err := checkRecord(record); err != nil {
		return err
	}
	if err := document.CheckClaim(claim); err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	tenant := r.Client.Identity().TenantID
	return s.once(tenant, record, func() error {
		t, at := s.tenant(tenant), stored(r.At)
		if err := t.check(r.Client.Identity().ClientID, claim, at); err != nil {
			return err
		}
		if err := s.commit(r); err != nil {
			return err
		}
		t.take(claim)
		return nil
	})
}

// checkRecord is [document.CheckIdempotencyRecord] for a record that may be nil.
func checkRecord(record *application.IdempotencyRecord) error {
	if record == nil {
		return nil
	}
	return document.CheckIdempotencyRecord(*record)
}

// check returns the error of a registration of the client that cannot have what it claims.
func (t *tenant) check(id domain.ClientID, claim application.RegistrationClaim, at time.Time) error {
	if claim.TokenID != "" {
		token, ok := t.tokens[claim.TokenID]
		if !ok || token.Status(at) != domain.InitialTokenActive {
			return application.ErrTokenEnded
		}
	}
	if of := claim.Statement; of != nil {
		if of.ID != nil && t.statements[statementKey{of.Issuer, *of.ID}].After(at) {
			return application.ErrReplayed
		}
		software := document.SoftwareKey(of)
		having := t.selected(func(c client) bool { return c.live() && c.as.Software == software })
		if of.UniqueSoftware && slices.ContainsFunc(having, func(other domain.ClientID) bool { return other != id }) {
			return application.ErrSoftwareTaken
		}
	}
	self := func(c client) bool { return c.live() && c.as.Self }
	if err := t.checkPlace(claim.MaxClients, self); err != nil {
		return err
	}
	if claim.TokenID == "" {
		return nil
	}
	return t.checkPlace(claim.MaxTokenClients, func(c client) bool { return self(c) && c.as.Token == claim.TokenID })
}

// checkPlace returns an [*application.TooManyRegisteredError] if limit or more clients meet the
// condition. A limit of 0 is none.
func (t *tenant) checkPlace(limit int, condition func(client) bool) error {
	clients := t.selected(condition)
	if limit == 0 || len(clients) < limit {
		return nil
	}
	return &application.TooManyRegisteredError{Unseen: slices.ContainsFunc(clients, t.unseen)}
}

// take takes what a registration claims.
func (t *tenant) take(claim application.RegistrationClaim) {
	if claim.TokenID != "" {
		token := t.tokens[claim.TokenID]
		token.Uses++
		t.tokens[claim.TokenID] = token
	}
	if of := claim.Statement; of != nil && of.ID != nil {
		t.statements[statementKey{of.Issuer, *of.ID}] = stored(of.ExpiresAt)
	}
}

// live reports whether the client is not deleted.
func (c client) live() bool { return c.deletedAt.IsZero() }

// unseen reports whether the client was never seen.
func (t *tenant) unseen(id domain.ClientID) bool {
	_, ok := t.seen[id]
	return !ok
}

// AdoptRegistration implements [application.RegistrationStore].
func (s *Store) AdoptRegistration(ctx context.Context, c domain.Client) error {
	registration, err := document.EncodeRegistration(c)
	if err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	clients, id := s.tenant(c.Identity().TenantID).clients, c.Identity().ClientID
	found := clients[id]
	if found.row.Revision != c.Revision() {
		return application.ErrConflict
	}
	found.row.Registration, found.as, found.search = registration, document.RegisteredAs(&c), document.SearchOf(c)
	clients[id] = found
	return nil
}

// decoded returns the clients that can be decoded, at most limit.
func (t *tenant) decoded(ids []domain.ClientID, limit int) (clients []domain.Client) {
	for _, id := range ids {
		if len(clients) == limit {
			break
		}
		if c, err := t.clients[id].row.Decode(); err == nil {
			clients = append(clients, c)
		}
	}
	return clients
}

// RegisteredWith implements [application.RegistrationStore].
func (s *Store) RegisteredWith(
	ctx context.Context, tenant domain.TenantID, tokenID string, after domain.ClientID, limit int,
) ([]domain.Client, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	t := s.tenant(tenant)
	return t.decoded(t.selected(func(c client) bool {
		return c.live() && c.as.Self && c.as.Token == tokenID && tokenID != "" && c.row.ClientID > after
	}), limit), nil
}

// Unseen implements [application.RegistrationStore].
func (s *Store) Unseen(
	ctx context.Context, tenant domain.TenantID, after application.UnseenPosition, before time.Time, limit int,
) ([]domain.Client, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	t := s.tenant(tenant)
	ids := t.selected(func(c client) bool {
		comesAfter := cmp.Or(c.createdAt.Compare(stored(after.CreatedAt)), cmp.Compare(c.row.ClientID, after.ClientID)) > 0
		return c.live() && c.as.Self && comesAfter && c.createdAt.Before(stored(before)) && t.unseen(c.row.ClientID)
	})
	slices.SortStableFunc(ids, func(a, b domain.ClientID) int { return t.clients[a].createdAt.Compare(t.clients[b].createdAt) })
	return t.decoded(ids, limit), nil
}

// CountRegistered implements [application.RegistrationStore].
func (s *Store) CountRegistered(ctx context.Context) (count application.RegisteredCount, err error) {
	if err := s.lock(ctx); err != nil {
		return count, err
	}
	defer s.mu.Unlock()
	for _, t := range s.tenants {
		for id, c := range t.clients {
			if !c.live() {
				continue
			}
			if c.as.Self {
				count.Clients++
				if t.unseen(id) {
					count.Unseen++
				}
			}
			if c.as.Pending {
				count.PendingDocuments++
			}
		}
	}
	return count, nil
}

// DeleteStatementUses implements [application.RegistrationStore].
func (s *Store) DeleteStatementUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	for _, t := range s.tenants {
		deleted += deleteExpired(t.statements, expired, limit-deleted)
	}
	return deleted, nil
}

// deleteExpired deletes at most limit records that expired at or before the time.
func deleteExpired[K comparable](records map[K]time.Time, at time.Time, limit int) (deleted int) {
	for key, expires := range records {
		if deleted == limit {
			break
		}
		if !expires.After(stored(at)) {
			delete(records, key)
			deleted++
		}
	}
	return deleted
}

var _ application.RegistrationStore = (*Store)(nil)
