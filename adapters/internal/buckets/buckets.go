// Package buckets limits the rates of operations that are counted by keys which anyone can
// choose:
//
//	hosts := buckets.New[string](1<<12, 10, time.Minute, time.Now)
//	if wait := hosts.Take(host); wait > 0 {
//		return fmt.Errorf("try again in %v", wait)
//	}
package buckets

import (
	"hash/maphash"
	"sync"
	"time"
)

// Buckets has a token bucket per key: it allows a number of operations per period, and as
// many at once. It is safe for concurrent use.
//
// Keys are assigned to a fixed number of slots by a hash with a random seed. So the memory is
// constant, and operations with many other keys do not reset what was counted for one. Two keys
// in one slot share its limit.
type Buckets[K comparable] struct {
	most   float64 // per period
	period time.Duration
	now    func() time.Time
	seed   maphash.Seed

	mu    sync.Mutex
	slots []slot
}

// slot counts operations.
type slot struct {
	used float64 // that still count, at the time at
	at   time.Time
}

// New returns buckets with this number of slots that allow n operations per period, by the
// clock now.
func New[K comparable](slots, n int, period time.Duration, now func() time.Time) *Buckets[K] {
	return &Buckets[K]{most: float64(n), period: period, now: now, seed: maphash.MakeSeed(), slots: make([]slot, slots)}
}

// Take counts an operation if one is allowed now; then it returns 0. Otherwise it returns how
// long it takes until one is allowed.
func (b *Buckets[K]) Take(key K) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slot(key)
	if wait = b.wait(s); wait == 0 {
		s.used++
	}
	return wait
}

// Wait returns how long it takes until an operation is allowed; 0 if one is allowed now. It
// counts nothing.
func (b *Buckets[K]) Wait(key K) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wait(b.slot(key))
}

// Count counts an operation that happened, also beyond the limit: up to as many again.
func (b *Buckets[K]) Count(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slot(key)
	s.used = min(s.used+1, 2*b.most)
}

// wait returns how long it takes until an operation in the slot is allowed. It is at least a
// millisecond if none is allowed now, because a shorter time could be rounded to 0.
func (b *Buckets[K]) wait(s *slot) time.Duration {
	excess := s.used - (b.most - 1)
	if excess <= 0 {
		return 0
	}
	return max(time.Duration(excess/b.most*float64(b.period)), time.Millisecond)
}

// slot returns the slot of a key as of now. The caller holds the mutex.
func (b *Buckets[K]) slot(key K) *slot {
	s := &b.slots[maphash.Comparable(b.seed, key)%uint64(len(b.slots))]
	now := b.now()
	if passed := now.Sub(s.at); passed > 0 {
		s.used = max(s.used-float64(passed)/float64(b.period)*b.most, 0)
		s.at = now
	}
	return s
}
