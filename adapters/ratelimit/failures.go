package ratelimit

import (
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/buckets"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// FailureLimiter implements [application.FailureLimiter] with a token bucket per client: it
// allows a number of failures per minute and client, and as many at once. Failures for many
// other clients, also for ones that do not exist, do not reset those of one. Two clients may
// share a limit.
type FailureLimiter struct{ failures *buckets.Buckets[key] }

// FailuresPerMinute returns a limiter that allows n failures per minute, by the clock now.
func FailuresPerMinute(n int, now func() time.Time) *FailureLimiter {
	return &FailureLimiter{buckets.New[key](slots, n, time.Minute, now)}
}

// Wait implements [application.FailureLimiter].
func (l *FailureLimiter) Wait(tenant domain.TenantID, id domain.ClientID) time.Duration {
	return l.failures.Wait(key{tenant, string(id)})
}

// Failed implements [application.FailureLimiter]. Failures beyond the limit, which happen
// if several verifications begin before the first one fails, count as well, up to as many
// again.
func (l *FailureLimiter) Failed(tenant domain.TenantID, id domain.ClientID) {
	l.failures.Count(key{tenant, string(id)})
}

var _ application.FailureLimiter = (*FailureLimiter)(nil)
