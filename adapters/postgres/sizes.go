package postgres

import (
	"sync"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// sizes caches the average size of clients for tenants whose last page ended by its size,
// so that the next statement does not return many more rows than a page can hold. An
// outdated value can make a page shorter than necessary, but never incorrect.
type sizes struct {
	mu      sync.Mutex
	average map[domain.TenantID]int // bytes of a client
}

// maxSizes bounds the number of tenants in the cache.
const maxSizes = 1024

// rows returns how many rows a statement should return: one more than the limit, which
// shows whether more clients follow, but not many more than the page can hold.
func (s *sizes) rows(tenant domain.TenantID, q application.Query) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	average := s.average[tenant]
	if average == 0 {
		return q.Limit + 1
	}
	return min(q.Limit+1, 2+2*pageBytes(q)/average)
}

// note records the size of a page.
func (s *sizes) note(tenant domain.TenantID, q application.Query, page application.Page, budget application.Budget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !budget.Spent() {
		delete(s.average, tenant)
		return
	}
	if s.average == nil || len(s.average) >= maxSizes {
		s.average = map[domain.TenantID]int{}
	}
	s.average[tenant] = max(pageBytes(q)/len(page.Clients), 1)
}

func pageBytes(q application.Query) int {
	if q.MaxBytes > 0 {
		return q.MaxBytes
	}
	return application.PageBytes
}
