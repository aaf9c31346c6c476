package jwks

import (
	"sync"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Limits on concurrent fetches. A tenant has a share, and a smaller one for each
// host, so that hosts that do not respond leave room for others. The last places are
// reserved for tenants without a fetch in progress. Fetches that anyone can cause leave
// a part of the share of their tenant, and of that of their host, to others.
const (
	maxFetches          = 128
	reservedFetches     = 32
	maxFetchesPerTenant = 16
	maxUnknownPerTenant = 10
	maxFetchesPerHost   = 4 // of one tenant
	maxUnknownPerHost   = 2 // of one tenant
)

// fetchLimits counts the fetches in progress.
type fetchLimits struct {
	mu    sync.Mutex
	total int
	taken map[quota]int
}

// quota is what a fetch takes a part of: the share of a tenant or, with a host, that of the
// host; with unknown, the part of it for fetches that anyone can cause.
type quota struct {
	tenant  domain.TenantID
	host    string
	unknown bool
}

func (q quota) limit() int {
	switch {
	case q.host == "" && q.unknown:
		return maxUnknownPerTenant
	case q.host == "":
		return maxFetchesPerTenant
	case q.unknown:
		return maxUnknownPerHost
	default:
		return maxFetchesPerHost
	}
}

func newFetchLimits() *fetchLimits { return &fetchLimits{taken: map[quota]int{}} }

// acquire takes a place for a fetch, which release gives back. It returns false if
// none is free.
func (l *fetchLimits) acquire(tenant domain.TenantID, host string) (release func(), ok bool) {
	return l.take(quota{tenant: tenant}, quota{tenant: tenant, host: host})
}

// acquireUnknown is acquire for a fetch that anyone can cause.
func (l *fetchLimits) acquireUnknown(tenant domain.TenantID, host string) (release func(), ok bool) {
	return l.take(
		quota{tenant: tenant}, quota{tenant: tenant, host: host},
		quota{tenant: tenant, unknown: true}, quota{tenant: tenant, host: host, unknown: true},
	)
}

// take takes a place of each quota, the first of which is that of the tenant.
func (l *fetchLimits) take(quotas ...quota) (release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxFetches || l.total >= maxFetches-reservedFetches && l.taken[quotas[0]] > 0 {
		return nil, false
	}
	for _, q := range quotas {
		if l.taken[q] >= q.limit() {
			return nil, false
		}
	}
	l.add(1, quotas)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.add(-1, quotas)
	}, true
}

// add counts a fetch. The caller holds the mutex.
func (l *fetchLimits) add(by int, quotas []quota) {
	l.total += by
	for _, q := range quotas {
		if l.taken[q] += by; l.taken[q] == 0 {
			delete(l.taken, q)
		}
	}
}

// limitError means that a fetch was not started.
type limitError struct {
	tenant domain.TenantID // the tenant whose limit was reached
}

func (*limitError) Error() string { return application.ErrTooManyFetches.Error() }

func (*limitError) Unwrap() error { return application.ErrTooManyFetches }
