package rest

import (
	"errors"
	"sync"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// errTooManyReaders rejects a request that would wait for changes: as many of this
// caller, or of its tenant, wait already as may wait.
var errTooManyReaders = errors.New("too many requests of the caller or its tenant wait for changes")

// following bounds how many requests wait for changes at once: of each caller, of
// each tenant, and altogether. A request that finds no place is rejected at
// once, because places become free by the minute rather than by the millisecond.
type following struct {
	total, perCaller, perTenant int

	mu      sync.Mutex
	waiting int
	callers map[reader]int
	tenants map[domain.TenantID]int
}

// reader names a caller. That of the platform is one caller in all tenants, so that
// it does not get more places by naming more tenants.
type reader struct {
	tenant  domain.TenantID
	subject string
}

func readerOf(c application.Caller) reader {
	if c.Platform {
		return reader{subject: c.Subject}
	}
	return reader{c.Tenant, c.Subject}
}

// newFollowing returns places within these bounds.
func newFollowing(total, perCaller, perTenant int) *following {
	return &following{
		total: total, perCaller: perCaller, perTenant: perTenant,
		callers: map[reader]int{}, tenants: map[domain.TenantID]int{},
	}
}

// enter takes a place, to be given back by leave. The error is
// [errTooManyReaders] or [errOverloaded].
func (f *following) enter(c application.Caller) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.callers[readerOf(c)] >= f.perCaller, f.tenants[c.Tenant] >= f.perTenant:
		return errTooManyReaders
	case f.waiting >= f.total:
		return errOverloaded
	}
	f.waiting++
	f.callers[readerOf(c)]++
	f.tenants[c.Tenant]++
	return nil
}

func (f *following) leave(c application.Caller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting--
	if f.callers[readerOf(c)]--; f.callers[readerOf(c)] == 0 {
		delete(f.callers, readerOf(c))
	}
	if f.tenants[c.Tenant]--; f.tenants[c.Tenant] == 0 {
		delete(f.tenants, c.Tenant)
	}
}
