// Package wake signals readers that wait for the change feed of a tenant when
// that tenant has a new commit. Both stores use it; it talks to nothing.
package wake

import (
	"sync"

	"github.com/clientele-oauth/clientele/domain"
)

// Hub holds the readers that wait. Its memory is bounded by the number of
// tenants with at least one reader. The zero value is ready to use, and all
// methods are safe for concurrent use.
type Hub struct {
	mu     sync.Mutex
	topics map[domain.TenantID]*topic
}

// topic is the signal of one tenant.
type topic struct {
	news    chan struct{} // closed by the signal
	readers int
}

// Watch returns a channel that is closed by the next signal for the tenant. stop
// releases what the hub holds for this reader; it must be called exactly once.
func (h *Hub) Watch(tenant domain.TenantID) (news <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[tenant]
	if t == nil {
		if h.topics == nil {
			h.topics = map[domain.TenantID]*topic{}
		}
		t = &topic{news: make(chan struct{})}
		h.topics[tenant] = t
	}
	t.readers++
	return t.news, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.readers--
		if t.readers == 0 && h.topics[tenant] == t { // after a signal it is no longer in the map
			delete(h.topics, tenant)
		}
	}
}

// Wake signals the readers of these tenants.
func (h *Hub) Wake(tenants ...domain.TenantID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, tenant := range tenants {
		if t := h.topics[tenant]; t != nil {
			close(t.news)
			delete(h.topics, tenant)
		}
	}
}

// WakeAll signals the readers of all tenants.
func (h *Hub) WakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		close(t.news)
	}
	clear(h.topics)
}

// Watched returns the number of tenants with at least one reader.
func (h *Hub) Watched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.topics)
}
