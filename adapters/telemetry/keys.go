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
	return k.timed(ctx, tenant, uri, k.KeyResolver.Fetch)
}

// Refetch implements [application.KeyResolver].
func (k timedKeys) Refetch(ctx context.Context, tenant domain.TenantID, uri string) (domain.Keys, time.Time, error) {
	return k.timed(ctx, tenant, uri, k.KeyResolver.Refetch)
}

func (k timedKeys) timed(
	ctx context.Context, tenant domain.TenantID, uri string,
	fetch func(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error),
) (domain.Keys, time.Time, error) {
	began := time.Now()
	keys, at, err := fetch(ctx, tenant, uri)
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

// CountSectors returns the resolver with its fetches counted.
func (m *Metrics) CountSectors(next application.SectorResolver) application.SectorResolver {
	return countedSectors{m: m, SectorResolver: next}
}

type countedSectors struct {
	m *Metrics
	application.SectorResolver
}

// FetchSectorIdentifier implements [application.SectorResolver].
func (s countedSectors) FetchSectorIdentifier(ctx context.Context, tenant domain.TenantID, uri string) (domain.SectorIdentifier, error) {
	sector, err := s.SectorResolver.FetchSectorIdentifier(ctx, tenant, uri)
	outcome := "unreachable"
	_, malformed := sector.Malformed()
	if err != nil {
		outcome = "unavailable"
	} else if _, seen := sector.URIs(); seen {
		outcome = "seen"
	} else if malformed {
		outcome = "malformed"
	} else if sector.Refused() {
		outcome = "refused"
	}
	s.m.sectorFetches.WithLabelValues(outcome).Inc()
	return sector, err
}
