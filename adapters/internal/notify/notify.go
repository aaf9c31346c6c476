// Package notify signals readers that wait for the change feed of a tenant when
// that tenant has a new commit. Both stores use it.
//
//	changed, stop := hub.Watch(tenant)
//	defer stop()
//	// Read the feed. If it has nothing new, wait for changed and read it again.
package notify

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
	changed chan struct{} // closed by Publish
	readers int
}

// Watch returns a channel that is closed by the next signal for the tenant. stop
// releases what the hub holds for this reader; it must be called exactly once.
func (h *Hub) Watch(tenant domain.TenantID) (changed <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[tenant]
	if t == nil {
		if h.topics == nil {
			h.topics = map[domain.TenantID]*topic{}
		}
		t = &topic{changed: make(chan struct{})}
		h.topics[tenant] = t
	}
	t.readers++
	return t.changed, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.readers--
		if t.readers == 0 && h.topics[tenant] == t { // after a signal it is no longer in the map
			delete(h.topics, tenant)
		}
	}
}

// Publish signals the readers of these tenants.
func (h *Hub) Publish(tenants ...domain.TenantID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, tenant := range tenants {
		if t := h.topics[tenant]; t != nil {
			close(t.changed)
			delete(h.topics, tenant)
		}
	}
}

// PublishAll signals the readers of all tenants.
func (h *Hub) PublishAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		close(t.changed)
	}
	clear(h.topics)
}

// Watched returns the number of tenants with at least one reader.
func (h *Hub) Watched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.topics)
}
