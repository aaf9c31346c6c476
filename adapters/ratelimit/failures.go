package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// failureSlots is the number of counters of a [FailureLimiter].
const failureSlots = 1 << 16

// FailureLimiter implements [application.FailureLimiter] with a token bucket for each
// client: it allows a number of failures per minute, and as many at once.
//
// Clients are assigned to a fixed number of slots by a hash with a random seed. So the
// memory is constant, and no caller can make the limiter forget the failures of a client by
// failing for many others, also for ones that do not exist. Two clients in one slot share
// its failures.
type FailureLimiter struct {
	perMinute float64
	now       func() time.Time
	seed      maphash.Seed

	mu    sync.Mutex
	slots [failureSlots]failureSlot
}

// failureSlot counts failures.
type failureSlot struct {
	failures float64 // which have not been forgiven yet, at the time at
	at       time.Time
}

// FailuresPerMinute returns a limiter that allows n failures per minute, by the clock now.
func FailuresPerMinute(n int, now func() time.Time) *FailureLimiter {
	return &FailureLimiter{perMinute: float64(n), now: now, seed: maphash.MakeSeed()}
}

// Wait implements [application.FailureLimiter].
func (l *FailureLimiter) Wait(tenant domain.TenantID, id domain.ClientID) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	excess := l.slot(tenant, id).failures - (l.perMinute - 1)
	if excess <= 0 {
		return 0
	}
	return time.Duration(excess / l.perMinute * float64(time.Minute))
}

// Failed implements [application.FailureLimiter]. Failures beyond the limit, which happen
// if several verifications begin before the first one fails, count as well, up to as many
// again.
func (l *FailureLimiter) Failed(tenant domain.TenantID, id domain.ClientID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := l.slot(tenant, id)
	slot.failures = min(slot.failures+1, 2*l.perMinute)
}

// slot returns the slot of a client as of now. The caller holds the lock.
func (l *FailureLimiter) slot(tenant domain.TenantID, id domain.ClientID) *failureSlot {
	slot := &l.slots[maphash.Comparable(l.seed, key{tenant, string(id)})%failureSlots]
	now := l.now()
	if passed := now.Sub(slot.at); passed > 0 {
		slot.failures = max(slot.failures-passed.Minutes()*l.perMinute, 0)
		slot.at = now
	}
	return slot
}

var _ application.FailureLimiter = (*FailureLimiter)(nil)
