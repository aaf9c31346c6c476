package jwks

import (
	"sync"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Limits on concurrent fetches. A tenant has a share, and a smaller one for each
// host, so that hosts that do not respond leave room for others. The last places are
// reserved for tenants without a fetch in progress. Fetches that anyone can cause leave
// a part of the share of their tenant to others.
const (
	maxFetches          = 128
	reservedFetches     = 32
	maxFetchesPerTenant = 16
	maxUnknownPerTenant = 10
	maxFetchesPerHost   = 4 // of one tenant
)

// fetchLimits counts the fetches in progress.
type fetchLimits struct {
	mu        sync.Mutex
	total     int
	perTenant map[domain.TenantID]int
	unknown   map[domain.TenantID]int // of these, the ones of unknown documents
	perHost   map[tenantHost]int
}

type tenantHost struct {
	tenant domain.TenantID
	host   string
}

func newFetchLimits() *fetchLimits {
	return &fetchLimits{perTenant: map[domain.TenantID]int{}, unknown: map[domain.TenantID]int{}, perHost: map[tenantHost]int{}}
}

// acquire takes a place for a fetch, which release gives back. It returns false if
// none is free.
func (l *fetchLimits) acquire(tenant domain.TenantID, host string) (release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := tenantHost{tenant, host}
	switch {
	case l.total >= maxFetches,
		l.total >= maxFetches-reservedFetches && l.perTenant[tenant] > 0,
		l.perTenant[tenant] >= maxFetchesPerTenant,
		l.perHost[at] >= maxFetchesPerHost:
		return nil, false
	}
	l.total++
	l.perTenant[tenant]++
	l.perHost[at]++
	return func() { l.release(at) }, true
}

// acquireUnknown is acquire for a fetch that anyone can cause.
func (l *fetchLimits) acquireUnknown(tenant domain.TenantID, host string) (release func(), ok bool) {
	if !l.countUnknown(tenant, 1) {
		return nil, false
	}
	free, ok := l.acquire(tenant, host)
	if !ok {
		l.countUnknown(tenant, -1)
		return nil, false
	}
	return func() {
		free()
		l.countUnknown(tenant, -1)
	}, true
}

// countUnknown adds to the fetches that anyone can cause, unless there are too many.
func (l *fetchLimits) countUnknown(tenant domain.TenantID, by int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unknown[tenant]+by > maxUnknownPerTenant {
		return false
	}
	if l.unknown[tenant] += by; l.unknown[tenant] == 0 {
		delete(l.unknown, tenant)
	}
	return true
}

func (l *fetchLimits) release(at tenantHost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.perTenant[at.tenant]--; l.perTenant[at.tenant] == 0 {
		delete(l.perTenant, at.tenant)
	}
	if l.perHost[at]--; l.perHost[at] == 0 {
		delete(l.perHost, at)
	}
}

// limitError means that a fetch was not started.
type limitError struct {
	tenant domain.TenantID // the tenant whose limit was reached
}

func (*limitError) Error() string { return application.ErrTooManyFetches.Error() }

func (*limitError) Unwrap() error { return application.ErrTooManyFetches }
