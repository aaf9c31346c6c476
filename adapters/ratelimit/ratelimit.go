// Package ratelimit limits the rate of an operation per client or per caller, in one
// process:
//
//	limit := ratelimit.PerSecond(100, time.Now)
//	if !limit.Allow(tenant, clientID) {
//		return application.ErrTooManyRequests
//	}
package ratelimit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxLimiters bounds the limiters that are kept. Those that were not used for a second
// are removed if there are more.
const maxLimiters = 10_000

// Limiter implements [application.Limiter] with a token bucket per name: it allows a
// number of operations per second, and a burst of the same size. It is safe for
// concurrent use.
type Limiter struct {
	perSecond int
	now       func() time.Time

	mu       sync.Mutex
	limiters map[key]*rate.Limiter
}

type key struct {
	tenant domain.TenantID
	name   string
}

// PerSecond returns a limiter that allows n operations per second, by the clock now.
func PerSecond(n int, now func() time.Time) *Limiter {
	return &Limiter{perSecond: n, now: now, limiters: map[key]*rate.Limiter{}}
}

// Allow implements [application.Limiter].
func (l *Limiter) Allow(tenant domain.TenantID, name string) bool {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key{tenant, name}
	limiter, known := l.limiters[k]
	if !known {
		if len(l.limiters) >= maxLimiters {
			l.removeIdle(now)
		}
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond)
		l.limiters[k] = limiter
	}
	return limiter.AllowN(now, 1)
}

// removeIdle removes the limiters that are in the state of new ones. If there are none,
// it removes all: it is better not to limit too many clients than not to serve them.
func (l *Limiter) removeIdle(now time.Time) {
	for k, limiter := range l.limiters {
		if limiter.TokensAt(now) >= float64(l.perSecond) {
			delete(l.limiters, k)
		}
	}
	if len(l.limiters) >= maxLimiters {
		clear(l.limiters)
	}
}

var _ application.Limiter = (*Limiter)(nil)
