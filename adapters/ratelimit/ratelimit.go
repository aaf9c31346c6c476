// Package ratelimit bounds how often something is done for one client, or one
// caller, in this process.
package ratelimit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxKnown is how many are remembered; when there are more, those that have
// been quiet are forgotten.
const maxKnown = 10_000

// Limiter implements [application.Limiter]: so many a second for each, and as
// many at once. It is safe for concurrent use.
type Limiter struct {
	perSecond int
	now       func() time.Time

	mu       sync.Mutex
	limiters map[whom]*rate.Limiter
}

type whom struct {
	tenant domain.TenantID
	name   string
}

// PerSecond returns a limiter that allows n a second, by that clock.
func PerSecond(n int, now func() time.Time) *Limiter {
	return &Limiter{perSecond: n, now: now, limiters: map[whom]*rate.Limiter{}}
}

// Allow implements [application.Limiter].
func (l *Limiter) Allow(tenant domain.TenantID, name string) bool {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	key := whom{tenant, name}
	limiter, known := l.limiters[key]
	if !known {
		if len(l.limiters) >= maxKnown {
			l.forget(now)
		}
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond)
		l.limiters[key] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forget drops the limiters that stand as new ones would, and all where that is
// none: too many at once are better not limited than not served.
func (l *Limiter) forget(now time.Time) {
	for key, limiter := range l.limiters {
		if limiter.TokensAt(now) >= float64(l.perSecond) {
			delete(l.limiters, key)
		}
	}
	if len(l.limiters) >= maxKnown {
		clear(l.limiters)
	}
}

var _ application.Limiter = (*Limiter)(nil)
