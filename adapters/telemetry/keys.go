package telemetry

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// TimeKeys returns the resolver with its fetches counted and timed.
func (m *Metrics) TimeKeys(next application.KeyResolver) application.KeyResolver {
	return timedKeys{m: m, KeyResolver: next}
}

type timedKeys struct {
	m *Metrics
	application.KeyResolver
}

// Fetch implements [application.KeyResolver].
func (k timedKeys) Fetch(ctx context.Context, tenant domain.TenantID, uri string) (domain.Keys, time.Time, error) {
	began := time.Now()
	keys, at, err := k.KeyResolver.Fetch(ctx, tenant, uri)
	outcome := "unreachable"
	if err != nil {
		outcome = "unavailable"
	} else if _, seen := keys.Set(); seen {
		outcome = "seen"
	} else if keys.Refused() {
		outcome = "refused"
	}
	k.m.keyFetches.WithLabelValues(outcome).Inc()
	k.m.fetchDuration.Observe(time.Since(began).Seconds())
	return keys, at, err
}
