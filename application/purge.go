package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// purgeBatch is the number of clients that are read from the store at once.
const purgeBatch = 100

// Purge purges the clients of all tenants that were deleted longer ago than the
// retention, so that only their tombstones remain, and removes old idempotency records.
// It returns the number of purged clients. It is for operators; callers of the service
// cannot purge.
func Purge(
	ctx context.Context, store Store, clock Clock, operator domain.Actor, retention time.Duration,
) (purged int, err error) {
	now := nowBy(clock)
	if err := store.DeleteIdempotencyRecords(ctx, now.Add(-IdempotencyRetention)); err != nil {
		return 0, fmt.Errorf("remove idempotency records: %w", err)
	}
	for {
		clients, _, err := store.Purgeable(ctx, now.Add(-retention), purgeBatch)
		if err != nil {
			return purged, fmt.Errorf("find clients to purge: %w", err)
		}
		for _, c := range clients {
			tombstone, err := c.Purge(now)
			if err != nil {
				return purged, fmt.Errorf("purge client: %w", err)
			}
			err = store.Commit(ctx, domain.Revision{Action: domain.ActionPurge, Actor: operator, At: now, Client: tombstone})
			switch {
			case errors.Is(err, ErrConflict): // restored, or purged by another process, in the meantime
			case err != nil:
				return purged, fmt.Errorf("purge client: %w", err)
			default:
				purged++
			}
		}
		if len(clients) == 0 {
			return purged, nil
		}
	}
}
