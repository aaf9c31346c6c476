package rest

import (
	"errors"
	"sync"

	"github.com/clientele-oauth/clientele/domain"
)

// errTooManyReaders rejects a request that would wait for changes because its
// caller or tenant has reached its limit of waiting requests.
var errTooManyReaders = errors.New("too many requests of the caller or its tenant are waiting for changes")

// following limits how many requests wait for changes at once: per caller, per
// tenant, and in total. A request above a limit is rejected immediately, because
// waiting requests take minutes rather than milliseconds.
type following struct {
	total, perCaller, perTenant int

	mu      sync.Mutex
	waiting int
	callers map[string]int
	tenants map[domain.TenantID]int
}

// newFollowing returns a following with the given limits.
func newFollowing(total, perCaller, perTenant int) *following {
	return &following{
		total: total, perCaller: perCaller, perTenant: perTenant,
		callers: map[string]int{}, tenants: map[domain.TenantID]int{},
	}
}

// enter counts a waiting request of the caller (see requestState.limitKey); leave
// removes it. The error is [errTooManyReaders] or [errOverloaded].
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
