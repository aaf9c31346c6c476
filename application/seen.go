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
	// unusedBatch is how many unused clients of a tenant are deleted in one run.
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

// DeleteUnused deletes clients that registered themselves and that no authorization server
// reported as used within the time of the tenant's policy
// ([domain.RegistrationPolicy.UnusedTTL]). They can be restored. It returns the number of
// deleted clients. Any number of processes may call it.
func (r *Registry) DeleteUnused(ctx context.Context, service domain.Actor) (deleted int, err error) {
	config := r.config.Registrations
	if !config.on() {
		return 0, nil
	}
	for _, tenant := range config.Policies.Tenants() {
		ttl := config.tenant(tenant).Policy.UnusedTTL
		if ttl <= 0 {
			continue
		}
		unused, err := config.Store.Unseen(ctx, tenant, r.now().Add(-ttl), unusedBatch)
		if err != nil {
			return deleted, fmt.Errorf("find unused clients: %w", err)
		}
		for i := range unused {
			after, err := unused[i].Delete(r.now())
			if err != nil { // deleted already
				continue
			}
			revision := domain.Revision{
				Action: domain.ActionDelete, Actor: service, At: after.UpdatedAt(), Client: after,
				Reason: "not used within " + ttl.String() + " after its registration",
			}
			switch err := config.Store.CommitUnseen(ctx, revision); {
			case err == nil:
				deleted++
			case errors.Is(err, ErrConflict): // seen or changed in the meantime; the next run looks at it again
			default:
				return deleted, fmt.Errorf("delete an unused client: %w", err)
			}
		}
	}
	return deleted, nil
}
