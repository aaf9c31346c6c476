package application

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

const (
	// seenInterval is how often the use of a client is written to the store at most.
	seenInterval = time.Hour
	// maxSeen bounds the clients whose reports are remembered.
	maxSeen = 50_000
	// unusedBatch is how many clients of a tenant are examined for being unused in one run.
	unusedBatch = 200
)

// recentlySeen remembers which clients were reported a short while ago. Its entries only
// save writes.
type recentlySeen struct {
	mu sync.Mutex
	at map[ClientKey]time.Time
}

// isDue reports whether a report is to be stored.
func (s *recentlySeen) isDue(client ClientKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.at[client]
	return !known || now.Sub(at) >= seenInterval
}

// note remembers a report that was stored.
func (s *recentlySeen) note(client ClientKey, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil || len(s.at) >= maxSeen {
		s.at = map[ClientKey]time.Time{}
	}
	s.at[client] = now
}

// NoteSeen records that an authorization server used a client with a registration. It is
// stored before NoteSeen returns; further reports within an hour, and reports of other
// clients, change nothing. The error is [ErrForbidden],
// [ErrNotFound] or that of the store.
func (r *Registry) NoteSeen(ctx context.Context, caller Caller, id domain.ClientID) error {
	client, err := r.find(ctx, caller, OpReportClientSeen, id)
	if err != nil {
		return err
	}
	key, now := KeyOf(&client), r.now()
	if !r.config.Registrations.on() || client.Registration() == nil || !r.seen.isDue(key, now) {
		return nil
	}
	if err := r.config.Registrations.Store.NoteSeen(ctx, Seen{Client: key, At: now}); err != nil {
		return fmt.Errorf("note the use of a client: %w", err)
	}
	r.seen.note(key, now)
	return nil
}

// SeenOf returns when authorization servers first and last reported the use of a client with
// a registration, to within an hour; zero times for a client that was never reported, and
// for one without a registration, so that reading it costs nothing more. The error is that
// of the store.
func (r *Registry) SeenOf(ctx context.Context, client *domain.Client) (first, last time.Time, err error) {
	if !r.config.Registrations.on() || client.Registration() == nil {
		return time.Time{}, time.Time{}, nil
	}
	identity := client.Identity()
	first, last, err = r.config.Registrations.Store.SeenTimes(ctx, identity.TenantID, identity.ClientID)
	if err != nil {
		err = fmt.Errorf("find the use of a client: %w", err)
	}
	return first, last, err
}

// unusedPositions are the positions at which the search for unused clients continues, by
// tenant. Without an entry it begins with the oldest client.
type unusedPositions struct {
	mu sync.Mutex
	at map[domain.TenantID]UnseenPosition
}

func (p *unusedPositions) of(tenant domain.TenantID) UnseenPosition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at[tenant]
}

// advance continues after the clients of a page. The page that is not full is the last one.
func (p *unusedPositions) advance(tenant domain.TenantID, page []domain.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(page) < unusedBatch {
		delete(p.at, tenant)
		return
	}
	if p.at == nil {
		p.at = map[domain.TenantID]UnseenPosition{}
	}
	p.at[tenant] = UnseenPositionOf(&page[len(page)-1])
}

// DeleteUnused deletes clients that registered themselves and are not used: those that no
// authorization server ever reported, that are active, that registered with an
// [domain.RegistrationPolicy.UnusedTTL], and that were not changed for this time and for
// that of the policy of the tenant. A client that is restored has its whole time again.
// Nothing is deleted in a tenant where registration is switched off, or whose policy has no
// such time.
//
// Each call examines at most [unusedBatch] clients of each tenant, and continues after those
// of the call before it. It returns the number of deleted clients, also on error. Any number
// of processes may call it.
func (r *Registry) DeleteUnused(ctx context.Context, service domain.Actor) (deleted int, err error) {
	config := r.config.Registrations
	if !config.on() {
		return 0, nil
	}
	var failures []error
	for _, tenant := range config.Policies.Tenants() {
		of := config.tenant(tenant)
		if !of.Enabled || of.Policy.UnusedTTL <= 0 {
			continue
		}
		n, err := r.deleteUnusedOf(ctx, tenant, of.Policy.UnusedTTL, service)
		deleted += n
		if err != nil {
			failures = append(failures, err)
		}
	}
	return deleted, errors.Join(failures...)
}

// deleteUnusedOf deletes the unused clients among the next ones of a tenant. ttl is that of
// its policy.
func (r *Registry) deleteUnusedOf(ctx context.Context, tenant domain.TenantID, ttl time.Duration, service domain.Actor) (deleted int, err error) {
	store := r.config.Registrations.Store
	page, err := store.Unseen(ctx, tenant, r.unused.of(tenant), r.now().Add(-ttl), unusedBatch)
	if err != nil {
		return 0, fmt.Errorf("find unused clients: %w", err)
	}
	r.unused.advance(tenant, page)
	for i := range page {
		now := r.now()
		if !isUnused(&page[i], ttl, now) {
			continue
		}
		after, err := page[i].Delete(now)
		if err != nil { // deleted already
			continue
		}
		revision := domain.Revision{
			Action: domain.ActionDelete, Actor: service, At: after.UpdatedAt(), Client: after,
			Reason: "neither used nor changed within " + unusedTTL(&page[i], ttl).String(),
		}
		switch err := store.CommitUnseen(ctx, revision); {
		case err == nil:
			deleted++
		case errors.Is(err, ErrConflict): // seen or changed in the meantime
		default:
			return deleted, fmt.Errorf("delete an unused client: %w", err)
		}
	}
	return deleted, nil
}

// isUnused reports whether a client that was never seen is to be deleted. ttl is that of the
// policy of its tenant.
func isUnused(c *domain.Client, ttl time.Duration, now time.Time) bool {
	if c.Settings().Status != domain.StatusActive || c.Registration().Policy.UnusedTTL <= 0 {
		return false
	}
	return now.Sub(c.UpdatedAt()) > unusedTTL(c, ttl)
}

// unusedTTL returns the longer one of the times that the client registered with and that the
// policy of its tenant has.
func unusedTTL(c *domain.Client, ttl time.Duration) time.Duration {
	return max(c.Registration().Policy.UnusedTTL, ttl)
}
