package ratelimit

import "time"

// NetworkLimiter limits an operation by the network that its requests come from. It allows
// what each of its limits allows, and is safe for concurrent use.
type NetworkLimiter []*Buckets

// ByNetwork returns a limiter with these limits, e.g. a number of operations per minute and
// another one per hour. An operation that a later one of them rejects counts for the earlier
// ones.
func ByNetwork(limits ...*Buckets) NetworkLimiter { return limits }

// Allow reports whether the operation is allowed once more now.
func (l NetworkLimiter) Allow(network string) bool {
	for _, b := range l {
		if !b.Allow("", network) {
			return false
		}
	}
	return true
}

// Wait returns how long it takes until an operation is allowed; 0 if one is allowed now.
func (l NetworkLimiter) Wait(network string) (longest time.Duration) {
	for _, b := range l {
		longest = max(longest, b.Wait("", network))
	}
	return longest
}

// Failed counts an operation that failed, also beyond the limits: up to as many again. It is
// for operations of which only the failures count, in place of Allow.
func (l NetworkLimiter) Failed(network string) {
	for _, b := range l {
		b.used.Count(key{name: network})
	}
}
