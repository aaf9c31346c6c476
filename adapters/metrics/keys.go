package metrics

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Keys times the fetches of a resolver of keys.
func (m *Metrics) Keys(next application.KeyResolver) application.KeyResolver {
	return timedKeys{m: m, KeyResolver: next}
}

type timedKeys struct {
	m *Metrics
	application.KeyResolver
}

// Fetch implements [application.KeyResolver].
func (k timedKeys) Fetch(ctx context.Context, uri string) (domain.Keys, time.Time) {
	began := time.Now()
	keys, at := k.KeyResolver.Fetch(ctx, uri)
	outcome := "unreachable"
	if _, seen := keys.Set(); seen {
		outcome = "seen"
	} else if keys.Refused() {
		outcome = "refused"
	}
	k.m.fetches.WithLabelValues(outcome).Inc()
	k.m.fetching.Observe(time.Since(began).Seconds())
	return keys, at
}
