package rest

import (
	"errors"
	"sync"

	"github.com/clientele-oauth/clientele/domain"
)

// errTooManyReaders rejects a request that would wait for changes: as many of this
// caller, or of its tenant, wait already as may wait.
var errTooManyReaders = errors.New("too many requests of the caller or its tenant are waiting for changes")

// following bounds how many requests wait for changes at once: of each caller, of
// each tenant, and altogether. A request that finds no place is rejected at
// once, because places become free by the minute rather than by the millisecond.
type following struct {
	total, perCaller, perTenant int

	mu      sync.Mutex
	waiting int
	callers map[string]int
	tenants map[domain.TenantID]int
}

// newFollowing returns places within these bounds.
func newFollowing(total, perCaller, perTenant int) *following {
	return &following{
		total: total, perCaller: perCaller, perTenant: perTenant,
		callers: map[string]int{}, tenants: map[domain.TenantID]int{},
	}
}

// enter takes a place for a request of the caller (see requestState.payer), to be given
// back by leave. The error is [errTooManyReaders] or [errOverloaded].
func (f *following) enter(caller string, tenant domain.TenantID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.callers[caller] >= f.perCaller, f.tenants[tenant] >= f.perTenant:
		return errTooManyReaders
	case f.waiting >= f.total:
		return errOverloaded
	}
	f.waiting++
	f.callers[caller]++
	f.tenants[tenant]++
	return nil
}

func (f *following) leave(caller string, tenant domain.TenantID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting--
	if f.callers[caller]--; f.callers[caller] == 0 {
		delete(f.callers, caller)
	}
	if f.tenants[tenant]--; f.tenants[tenant] == 0 {
		delete(f.tenants, tenant)
	}
}
