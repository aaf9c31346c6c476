package ratelimit

import (
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/buckets"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// slots is the number of names with a limit that is not shared, if no two have the same hash.
const slots = 1 << 16

// Buckets implements [application.Limiter] with a token bucket per name: it allows a number
// of operations per period, and as many at once. It is safe for concurrent use.
//
// Its memory is constant, and operations with many other names do not reset what was counted
// for one. Two names may share a limit. This is for names that anyone can choose;
// [Limiter] is for the names of callers that are known.
type Buckets struct{ used *buckets.Buckets[key] }

// Per returns a limiter that allows n operations per period, by the clock now.
func Per(n int, period time.Duration, now func() time.Time) *Buckets {
	return &Buckets{buckets.New[key](slots, n, period, now)}
}

// Allow implements [application.Limiter].
func (b *Buckets) Allow(tenant domain.TenantID, name string) bool {
	return b.used.Take(key{tenant, name}) == 0
}

var _ application.Limiter = (*Buckets)(nil)
