package jwks_test

import (
	"sync/atomic"
	"time"
)

// manualClock is a clock that advances only when a test advances it.
type manualClock struct{ offset atomic.Int64 }

func (c *manualClock) now() time.Time {
	return time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

func (c *manualClock) advance(d time.Duration) { c.offset.Add(int64(d)) }
