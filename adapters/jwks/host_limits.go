package jwks

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

const (
	// fetchesPerMinute limits the fetches of client ID metadata documents from a host.
	fetchesPerMinute = 10
	hostSlots        = 1 << 12
)

// hostLimits limits the rate of fetches from each host, or of each document, with a token
// bucket. Their names are assigned to a fixed number of slots by a hash with a random seed, so
// that the memory is constant, and that fetches from many hosts do not make it forget those
// from one. Two names in one slot share the fetches.
type hostLimits struct {
	now  func() time.Time
	seed maphash.Seed

	mu    sync.Mutex
	slots [hostSlots]hostSlot
}

// hostSlot is the number of recent fetches, at the time at.
type hostSlot struct {
	fetches float64
	at      time.Time
}

func newHostLimits(now func() time.Time) *hostLimits {
	return &hostLimits{now: now, seed: maphash.MakeSeed()}
}

// take counts a fetch from the host. If it is not allowed, it returns after which time it
// will be.
func (l *hostLimits) take(host string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	slot := &l.slots[maphash.String(l.seed, name)%hostSlots]
	now := l.now()
	if passed := now.Sub(slot.at); passed > 0 {
		slot.fetches = max(slot.fetches-passed.Minutes()*fetchesPerMinute, 0)
		slot.at = now
	}
	if excess := slot.fetches - (fetchesPerMinute - 1); excess > 0 {
		return max(time.Duration(excess/fetchesPerMinute*float64(time.Minute)), time.Millisecond)
	}
	slot.fetches++
	return 0
}
