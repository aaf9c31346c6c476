package ratelimit

import (
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/buckets"
)

// Rate is a number of operations per period, of which all may come at once.
type Rate struct {
	Count  int
	Period time.Duration
}

// NetworkLimiter limits an operation by the network that its requests come from. It allows
// what each of its rates allows, and is safe for concurrent use. Two networks may share a
// limit.
type NetworkLimiter []*buckets.Buckets[string]

// ByNetwork returns a limiter with these rates, e.g. a number of operations per minute and
// another one per hour, by the clock now. An operation that a later one of them rejects
// counts for the earlier ones.
func ByNetwork(now func() time.Time, rates ...Rate) NetworkLimiter {
	var l NetworkLimiter
	for _, r := range rates {
		l = append(l, buckets.New[string](slots, r.Count, r.Period, now))
	}
	return l
}

// Allow reports whether the operation is allowed once more now.
func (l NetworkLimiter) Allow(network string) bool {
	for _, b := range l {
		if b.Take(network) > 0 {
			return false
		}
	}
	return true
}

// Wait returns how long it takes until an operation is allowed; 0 if one is allowed now.
func (l NetworkLimiter) Wait(network string) (longest time.Duration) {
	for _, b := range l {
		longest = max(longest, b.Wait(network))
	}
	return longest
}

// Failed counts an operation that failed, also beyond the limits: up to as many again. It is
// for operations of which only the failures count, in place of Allow.
func (l NetworkLimiter) Failed(network string) {
	for _, b := range l {
		b.Count(network)
	}
}
