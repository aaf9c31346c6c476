package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// slots is the number of counters of [Buckets].
const slots = 1 << 16

// Buckets implements [application.Limiter] with a token bucket per name: it allows a number
// of operations per period, and as many at once. It is safe for concurrent use.
//
// Names are assigned to a fixed number of slots by a hash with a random seed. So the memory
// is constant, and no caller can make the limiter forget what it counted for a name by using
// many others. Two names in one slot share its limit. This is for names that anyone can
// choose; [Limiter] is for the names of callers that are known.
type Buckets struct {
	most   float64 // per period
	period time.Duration
	now    func() time.Time
	seed   maphash.Seed

	mu    sync.Mutex
	slots [slots]slot
}

// slot counts operations.
type slot struct {
	used float64 // which have not been forgiven yet, at the time at
	at   time.Time
}

// Per returns a limiter that allows n operations per period, by the clock now.
func Per(n int, period time.Duration, now func() time.Time) *Buckets {
	return &Buckets{most: float64(n), period: period, now: now, seed: maphash.MakeSeed()}
}

// Allow implements [application.Limiter].
func (b *Buckets) Allow(tenant domain.TenantID, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slot(tenant, name)
	if b.excess(s) > 0 {
		return false
	}
	s.used++
	return true
}

// Wait returns how long it takes until an operation is allowed; 0 if one is allowed now.
func (b *Buckets) Wait(tenant domain.TenantID, name string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	excess := b.excess(b.slot(tenant, name))
	if excess <= 0 {
		return 0
	}
	return time.Duration(excess / b.most * float64(b.period))
}

// count counts an operation that happened, also beyond the limit: up to as many again.
func (b *Buckets) count(tenant domain.TenantID, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slot(tenant, name)
	s.used = min(s.used+1, 2*b.most)
}

// excess returns how many operations must be forgiven before one is allowed.
func (b *Buckets) excess(s *slot) float64 { return s.used - (b.most - 1) }

// slot returns the slot of a name as of now. The caller holds the lock.
func (b *Buckets) slot(tenant domain.TenantID, name string) *slot {
	s := &b.slots[maphash.Comparable(b.seed, key{tenant, name})%slots]
	now := b.now()
	if passed := now.Sub(s.at); passed > 0 {
		s.used = max(s.used-float64(passed)/float64(b.period)*b.most, 0)
		s.at = now
	}
	return s
}

var _ application.Limiter = (*Buckets)(nil)
