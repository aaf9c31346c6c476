// Package ratelimit bounds how often something is done for one client, in this
// process.
package ratelimit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxClients is how many clients are remembered; when there are more, those
// that have been quiet are forgotten.
const maxClients = 10_000

// Clients implements [application.Limiter]: so many a second for each client,
// and as many at once. It is safe for concurrent use.
type Clients struct {
	perSecond int
	now       func() time.Time

	mu       sync.Mutex
	limiters map[client]*rate.Limiter
}

type client struct {
	tenant domain.TenantID
	id     domain.ClientID
}

// PerSecond returns a limiter that allows n a second, by that clock.
func PerSecond(n int, now func() time.Time) *Clients {
	return &Clients{perSecond: n, now: now, limiters: map[client]*rate.Limiter{}}
}

// Allow implements [application.Limiter].
func (c *Clients) Allow(tenant domain.TenantID, id domain.ClientID) bool {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	key := client{tenant, id}
	limiter, known := c.limiters[key]
	if !known {
		if len(c.limiters) >= maxClients {
			c.forget(now)
		}
		limiter = rate.NewLimiter(rate.Limit(c.perSecond), c.perSecond)
		c.limiters[key] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forget drops the limiters that stand as new ones would, and all where that is
// none: too many clients at once are better not limited than not served.
func (c *Clients) forget(now time.Time) {
	for key, limiter := range c.limiters {
		if limiter.TokensAt(now) >= float64(c.perSecond) {
			delete(c.limiters, key)
		}
	}
	if len(c.limiters) >= maxClients {
		clear(c.limiters)
	}
}

var _ application.Limiter = (*Clients)(nil)
