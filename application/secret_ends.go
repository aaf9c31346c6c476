package application

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

const (
	// secretEndBatch is the number of clients that are read from the store at once.
	secretEndBatch = 200
	// maxSecretEndBatches is the number of batches of a run.
	maxSecretEndBatches = 20
	// secretEndsAtOnce is the number of revisions that are committed concurrently.
	secretEndsAtOnce = 16
	// secretEndRetry is when a client is looked at again whose secret end could not be
	// recorded, because its record is damaged.
	secretEndRetry = time.Hour
)

// SecretEndsRun is the result of [RecordSecretEnds].
type SecretEndsRun struct {
	Ended  int // secrets whose end was recorded
	Failed int // clients that could not be changed, and are looked at again later
	// More reports that there may be more to do at once: a run is bounded.
	More bool
}

// RecordSecretEnds makes a revision with [domain.ActionExpireSecret] of each client that has
// a secret whose grace period or lifetime has ended, so that readers of the change feed
// learn of it. Any number of processes may call it, as often as they like: what is to be
// done follows from the stored clients alone, and each revision is committed once. A client
// that another caller changes at the same moment is looked at again by the next call.
//
// It returns when no secret end is left, after a bounded number of clients, or with the
// error of the store. A damaged client does not keep it from the others.
func RecordSecretEnds(ctx context.Context, store Store, clock Clock, service domain.Actor) (SecretEndsRun, error) {
	var run SecretEndsRun
	for range maxSecretEndBatches {
		now := nowBy(clock)
		due, err := store.SecretEnds(ctx, now, secretEndBatch)
		if err != nil {
			return run, fmt.Errorf("find ended secrets: %w", err)
		}
		settled, err := run.settleAll(ctx, store, due, now, service)
		if err != nil {
			return run, fmt.Errorf("record ended secrets: %w", err)
		}
		if len(due) < secretEndBatch || settled == 0 { // the rest was changed by others just now
			return run, nil
		}
	}
	run.More = true
	return run, nil
}

// settleAll settles clients concurrently. It returns the number of those that are settled,
// and the error of the store if it is unavailable.
func (run *SecretEndsRun) settleAll(
	ctx context.Context, store Store, due []SecretEnd, now time.Time, service domain.Actor,
) (settled int, err error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		next  int
	)
	take := func() (SecretEnd, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(due) || err != nil {
			return SecretEnd{}, false
		}
		next++
		return due[next-1], true
	}
	for range min(secretEndsAtOnce, len(due)) {
		group.Go(func() {
			for end, ok := take(); ok; end, ok = take() {
				ended, failed := end.settle(ctx, store, now, service)
				mu.Lock()
				switch {
				case failed == nil:
					settled++
					run.Ended += ended
				case errors.Is(failed, ErrUnavailable):
					err = failed
				case errors.Is(failed, ErrConflict):
				default:
					settled++
					run.Failed++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return settled, err
}

// settle records the ends of the secrets of one client, or schedules the next look at it.
// The error is [ErrConflict] if the client was changed in the meantime. For any other
// error that is not [ErrUnavailable], the client is looked at again after secretEndRetry.
func (e SecretEnd) settle(ctx context.Context, store Store, now time.Time, service domain.Actor) (ended int, err error) {
	ended, err = e.record(ctx, store, now, service)
	if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrUnavailable) {
		return ended, err
	}
	key, revision := KeyOf(&e.Client), e.Client.Revision()
	if e.Unreadable != nil {
		key, revision = ClientKey{e.Unreadable.TenantID, e.Unreadable.ClientID}, e.Unreadable.Revision
	}
	return 0, errors.Join(err, store.ScheduleSecretEnd(ctx, key, revision, now.Add(secretEndRetry)))
}

// record commits the revision of one client, if it has a secret that has ended.
func (e SecretEnd) record(ctx context.Context, store Store, now time.Time, service domain.Actor) (ended int, err error) {
	defer func() {
		if cause := recover(); cause != nil { // it would end the process: this goroutine does not belong to a request
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	if e.Unreadable != nil {
		return 0, e.Unreadable
	}
	var since time.Time
	if !e.Known { // what passed before an upgrade to the release that records ends is not recorded
		since = now.Add(-domain.StaleSecretEnd)
	}
	next := e.Client.NextSecretEnd(since)
	if !e.Client.SecretsUnreadable() && (next.IsZero() || next.After(now)) {
		return 0, store.ScheduleSecretEnd(ctx, KeyOf(&e.Client), e.Client.Revision(), next)
	}
	after, ended, err := e.Client.EndSecrets(now)
	if err != nil {
		return 0, err
	}
	return ended, store.Commit(ctx, domain.Revision{Action: domain.ActionExpireSecret, Actor: service, At: now, Client: after})
}
